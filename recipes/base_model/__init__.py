"""The base models, made from scratch: a *plain* one from running text, and the *shipped* one taught the task."""
