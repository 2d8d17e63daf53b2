"""Benchmarks: `make bench` runs them all; each also alone, `python -m benchmarks.NAME`."""
