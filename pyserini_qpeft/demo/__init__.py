"""The demo: search the documentation of the Python standard library, and rerank the hits."""
