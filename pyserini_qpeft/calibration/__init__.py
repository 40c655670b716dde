"""Calibration: the probability that a hit is relevant, from its likelihood."""
