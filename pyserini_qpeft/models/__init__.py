"""Base models and adapters: what a name means, and how it is loaded."""
