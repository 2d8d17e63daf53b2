"""What keeps a controller from starting, as one line instead of a traceback."""

from __future__ import annotations


class ControllerFailed(Exception):
    """An expected failure; its text names what is at fault and the remedy."""
