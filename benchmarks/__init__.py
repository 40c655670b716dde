"""How fast scoring and training are, beside what else could be used: `python -m benchmarks`."""
