"""Benchmarks: `make bench` runs them all, `python -m benchmarks PART` one.

Parts are in `control`, `balancing`, `qos`, `prediction` and `surface`; what they share in `sites`
(what is measured), `peers` (what with), `load` (under which load) and `results`.
"""
