"""Measures the speed and memory of scoring and training, compared with other libraries: `python -m benchmarks`."""
