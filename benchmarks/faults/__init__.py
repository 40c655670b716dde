"""Measurements of files that are larger than the memory."""
