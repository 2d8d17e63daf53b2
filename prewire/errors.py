"""What ends a command with one line instead of a traceback."""

from __future__ import annotations


class CommandFailed(Exception):
    """An expected failure; its text names what is at fault and the remedy."""
