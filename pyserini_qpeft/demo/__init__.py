"""The demonstration: the documentation of the standard library, searched and reranked."""
