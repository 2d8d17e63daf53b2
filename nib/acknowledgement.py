"""Has every switch acknowledged a generation of intent?

Controllers note in each Switch row the generation whose barrier it answered. A write is applied
when all switches known have noted its generation or a later one; a switch that is known but not
connected holds that back.

Must not know: what was written, or who waits.
"""

from __future__ import annotations

import asyncio

from nib.database import Nib
from nib.errors import NibError
from nib.fields import MAX_INTEGER
from nib.mirror import Lookups
from nib.topology import Switch


class NotApplied(NibError):
    """Some switches did not acknowledge in time. The write itself is stored and stays."""

    def __init__(self, generation: int, waiting: list[Switch]) -> None:
        self.generation = generation
        self.waiting = waiting
        names = "; ".join(_state(switch) for switch in waiting)
        super().__init__(f"stored as generation {generation}, not yet applied by: {names}")


class NotReadBack(NibError):
    """The controller did not answer a request to read a switch back in time."""

    def __init__(self, dpid: str, timeout_s: float) -> None:
        super().__init__(f"switch {dpid} was not read back within {timeout_s:g} s")


def switches_behind(view: Lookups, generation: int) -> list[Switch]:
    """The switches that have not acknowledged this generation."""
    return [switch for switch in view.all(Switch) if switch.applied < generation]


async def applied(nib: Nib, generation: int, timeout_s: float) -> None:
    """Return when all switches acknowledged the generation; NotApplied after `timeout_s`."""
    with nib.view() as view:
        if _acknowledged(view) >= generation:
            return
    future = nib.when(lambda view: _acknowledged(view) >= generation)
    try:
        await asyncio.wait_for(asyncio.wrap_future(future), timeout_s)
    except TimeoutError:
        with nib.view() as view:
            raise NotApplied(generation, switches_behind(view, generation)) from None


def _acknowledged(view: Lookups) -> int:
    """The generation that all switches have acknowledged; looked for once, however many wait."""
    return view.derived(_least_applied, Switch)


def _least_applied(view: Lookups) -> int:
    return min((switch.applied for switch in view.all(Switch)), default=MAX_INTEGER)


def _state(switch: Switch) -> str:
    name = f"{switch.name} ({switch.dpid})"
    if switch.problem:
        return f"{name} has a problem: {switch.problem}"
    return name if switch.connected else f"{name} is not connected and programmed"
