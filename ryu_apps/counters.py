"""What flows count: which packets a flow of ours meets, by where it stands and whose it is.

A flow's counters vanish with the flow; `ryu_apps.totals` makes totals of them. Where several flows
count the same, each has a total of its own. Pure.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from openflow import cookies, tables
from openflow.cookies import Kind
from openflow.packet import RST, SYN_ACK

# Where a flow of ours stands, and what it belongs to -> what its packets are. None: any priority.
# Each packet meets one flow of a series at most. Not counted are, in tables conntrack and origin,
# what a container sends to a VIP (answers to its checks among it) and direct connections to it.
# Packets of a container pass the flow of OWN_PRIORITY in its own switch, and in the client's too.
OWN_PRIORITY: Final = 80
_SERIES: Final[dict[tuple[int, int, int | None], str]] = {
    (Kind.SERVICE, tables.CONNTRACK.number, None): "to",
    (Kind.SERVICE, tables.SERVICE.number, None): "new",
    (Kind.CONTAINER, tables.REMEMBER.number, None): "new",
    (Kind.CONTAINER, tables.ENDPOINT.number, None): "to",
    (Kind.CONTAINER, tables.CONNTRACK.number, OWN_PRIORITY): "from",
    (Kind.CONTAINER, tables.ORIGIN.number, 100): "from",
}

# The same for flows that match TCP flags.
_OUTCOMES: Final = {SYN_ACK: "answered", RST: "reset"}


@dataclass(frozen=True, slots=True)
class Series:
    """What flows count. kind and number: their object; what: "new" connections, packets "to" or
    "from", "answered" connections, or those "reset" by the container."""

    kind: Kind
    number: int
    what: str


def series_of(cookie: int, table: int, priority: int, tcp_flags: int = 0) -> Series | None:
    """What the packets of a flow are counted as; None: nothing. tcp_flags: that it matches, set."""
    if not cookies.is_ours(cookie):
        return None
    kind = cookie >> 32 & 0xFF
    what = (
        _SERIES.get((kind, table, priority))
        or _SERIES.get((kind, table, None))
        or (_OUTCOMES.get(tcp_flags) if counts_by_flags(cookie, table) else None)
    )
    return Series(Kind(kind), cookie & 0xFFFF_FFFF, what) if what else None


def counts_by_flags(cookie: int, table: int) -> bool:
    """Whether it depends on the TCP flags that a flow of ours matches what its packets are."""
    return table == tables.REPLY.number and cookie >> 32 & 0xFF == Kind.CONTAINER
