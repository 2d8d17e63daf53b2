"""The one error of this room."""

from __future__ import annotations


class BenchmarkFailed(Exception):
    """A benchmark could not be run to its end; the text says why. No figure of it counts."""
