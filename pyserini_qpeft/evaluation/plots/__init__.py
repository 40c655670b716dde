"""Plots of an evaluation: one file each, and one line in `PLOTS`."""

PLOTS = (
    "query_gains",
    "gain_against_first_stage",
    "latency",
    "depth",
    "fusion_weight",
    "reliability",
)
"""The file of each plot, in the order in which they are shown. It has a function `figures`."""
