"""What is refused for reasons of bandwidth.

Must not know: HTTP.
"""

from __future__ import annotations

from typing import Final

from nib.errors import Conflict, NotFound


class NotAdmitted(Conflict):
    """A link cannot carry what is guaranteed on it; the text says which, and what is free."""


class BuiltIn(NotFound):
    """A class that nobody stated, though there is one: it is built in."""

    field: Final = "name"
    remedy: Final = "a built-in class cannot be deleted; give it other values by PUT instead"

    def __init__(self, name: str) -> None:
        super().__init__("stated class", f"{name}: it is as built in")
