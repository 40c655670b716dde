"""The stage itself: first-stage hits in, the same hits in a better order out."""
