"""What ends a command with one line instead of a traceback."""

from __future__ import annotations


class CommandFailed(Exception):
    """An expected failure; its text names what is at fault and the remedy."""

    exit_code = 1


class TimeRanOut(CommandFailed):
    """What was waited for did not come in time."""

    exit_code = 4
