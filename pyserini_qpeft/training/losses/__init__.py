"""Losses over each query's scored candidates: one file each, and one line in `LOSSES`."""

LOSSES = {
    "both": "pointwise_and_pairwise",
    "pointwise": "pointwise",
    "pairwise": "pairwise",
    "listwise": "listwise",
    "margin-mse": "margin_mse",
}
"""The name of each loss, and the name of its file, which is also the name of the function in it."""
