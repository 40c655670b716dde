"""A chain of rerankers that is itself a reranker: a fast model reads many hits, a better one the best of them."""
