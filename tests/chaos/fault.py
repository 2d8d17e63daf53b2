"""What a fault is."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from enum import Enum
from random import Random

from tests.chaos.world import World


class Since(Enum):
    """From when recovery counts. BEGIN: what is left recovers it; END: it cannot be had before;
    THROUGHOUT: nothing has to recover, and what counts is the longest that any write takes."""

    BEGIN = "begin"
    END = "end"
    THROUGHOUT = "throughout"


class Dies(Enum):
    """Whose connections are lost with it."""

    NOBODY = "nobody"
    CONTAINER = "container"
    DATA_PATH = "data path"
    """ovs-vswitchd: it alone knows the connections of all switches. Those whose slot has changed
    hands since they began are reset."""


@dataclass(frozen=True, slots=True)
class Fault:
    """cause: inside the body it is there. seconds: for how long, least and most."""

    name: str
    cause: Callable[[World, Random], AbstractContextManager[None]]
    seconds: tuple[float, float] = (1.0, 2.0)
    since: Since = Since.BEGIN
    dies: Dies = Dies.NOBODY
