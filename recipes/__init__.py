"""Recipes: how the models that are shipped with the package were made."""
