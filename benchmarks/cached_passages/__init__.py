"""Queries over passages that were read before, and what 8-bit integers lose."""
