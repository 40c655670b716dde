"""Chains of two rerankers: what they find, and what they cost, on several test collections."""
