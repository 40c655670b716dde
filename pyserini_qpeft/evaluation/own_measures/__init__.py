"""Measures that ir-measures does not have: one file each, and one line in `OWN_MEASURES`."""

OWN_MEASURES = {
    "Ceiling": "ceiling",
}
"""The name of each measure, and the name of its file, which is also the name of the function in it."""
