"""What `ryu_apps.links` remembers of switches, their ports, and the probes under way.

Must not know: what follows from it.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final, NamedTuple

# How often a port is probed quickly before it is probed rarely.
QUICK_PROBES: Final = 3


class End(NamedTuple):
    """One port of one switch, by name."""

    dpid: str
    name: str


@dataclass(eq=False, slots=True)
class Sent:
    """A probe under way. out: when it had left its switch; arrived: where it was seen."""

    sent: float
    out: float | None = None
    arrived: End | None = None


@dataclass(eq=False, slots=True)
class ProbedPort:
    """A port that is up."""

    end: End
    due: float
    quick: int = QUICK_PROBES
    probes: dict[int, Sent] = field(default_factory=dict)


@dataclass(eq=False, slots=True)
class KnownLink:
    """A link. confirmed: a probe has been seen to arrive by it; newest: its sequence number."""

    peer: End
    confirmed: bool = False
    newest: int = 0


@dataclass(eq=False, slots=True)
class ProbedSwitch:
    """A connected switch and its ports that are up, by number and by name.

    ready: since when it takes probes to send, and hands over those that come; asked: when the
    barrier was sent that is not answered yet; answered: when the newest one that is answered was
    sent; leaving: probes before the barrier.
    """

    ports: dict[int, ProbedPort] = field(default_factory=dict)
    names: dict[str, ProbedPort] = field(default_factory=dict)
    ready: float | None = None
    asked: float | None = None
    answered: float = float("-inf")
    leaving: list[Sent] = field(default_factory=list)
