"""Turns first-stage hits of any kind into candidates: hits with their texts."""
