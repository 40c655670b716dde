"""Trains the base models from scratch: *plain* on running text, then *shipped* on queries of passages."""
