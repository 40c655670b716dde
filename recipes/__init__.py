"""Recipes: the programs that train the shipped model."""
