"""A server process made ready for requests: what is there to stay is not looked through again.

A full garbage collection walks all objects there are, those of the web framework and the database's
rows among them, and every request waits meanwhile: 0.3 s and more where it is a few hundred
thousand. What is there when the server begins stays as long as it does.
"""

from __future__ import annotations

import gc
from typing import Final

_THRESHOLDS: Final = (10_000, 20, 20)  # of new objects; of collections of them; of these


def settle() -> None:
    """Leave what is there now to itself, and look for garbage less often."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(*_THRESHOLDS)
