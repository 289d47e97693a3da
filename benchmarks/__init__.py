"""Benchmarks: each figure beside its floor, both measured in the same run. `make bench`, or `python -m benchmarks`."""
