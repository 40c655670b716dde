"""Adaptive depth: stop reading a query's hits when its first hits can hardly change any more."""
