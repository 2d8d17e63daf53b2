"""The pipeline: one list of named tables; order, numbers and the documentation derive from it.

Numbers leave gaps so that a table added later does not renumber the others (a renumbering would
reprogram every switch). A packet only ever moves to a later table of this list.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

# What becomes of a packet that no flow of a table takes, besides going on in a named table.
DROP: Final = "drop"


@dataclass(frozen=True, slots=True)
class Table:
    """One table. owner: the module that fills it; miss: DROP or a later table's name.

    tells: whether the controller is told of packets that no flow takes, before that.
    """

    number: int
    name: str
    owner: str
    purpose: str
    miss: str
    tells: bool = False


CLASSIFY: Final = Table(0, "classify", "ryu_apps.forwarding", "sorts packets by kind", "forward")
ARRIVE: Final = Table(
    5,
    "arrive",
    "ryu_apps.forwarding",
    "tells packets that have come through the fabric to their switch from those passing by",
    "mark",
)
LEARN: Final = Table(
    8,
    "learn",
    "ryu_apps.forwarding",
    "tells the controller of stations that it does not know at this port",
    "arp",
    tells=True,
)
ARP: Final = Table(
    10,
    "arp",
    "gateway_lb.neighbours",
    "answers ARP and neighbour solicitations for VIPs and containers",
    "conntrack",
)
ADVERTISE: Final = Table(
    15, "advertise", "gateway_lb.neighbours", "completes a neighbour advertisement", DROP
)
SOURCE: Final = Table(
    18,
    "source",
    "qos.pipeline",
    "notes the service that a packet comes from, at the edge port that it comes in by",
    "conntrack",
)
CONNTRACK: Final = Table(
    20,
    "conntrack",
    "gateway_lb.pipeline",
    "sends packets to a VIP, and replies of containers restored to it, through conntrack",
    "destination",
)
ORIGIN: Final = Table(
    25,
    "origin",
    "gateway_lb.replies",
    "restores replies of a container port that stands behind several ports of VIPs",
    "destination",
)
SERVICE: Final = Table(
    30,
    "service",
    "gateway_lb.pipeline",
    "a new connection chooses a container by the service's group; an established one recalls it",
    DROP,
)
RECALL: Final = Table(
    35,
    "recall",
    "gateway_lb.pipeline",
    "UDP whose container is gone chooses another",
    DROP,
)
REMEMBER: Final = Table(
    40,
    "remember",
    "gateway_lb.pipeline",
    "commits a new connection with its container number",
    DROP,
)
EMPTY: Final = Table(
    45,
    "empty",
    "gateway_lb.pipeline",
    "tells the controller of connections to services without a container",
    DROP,
)
ENDPOINT: Final = Table(
    50, "endpoint", "gateway_lb.pipeline", "turns the container number into headers", DROP
)
REPLY: Final = Table(
    60,
    "reply",
    "gateway_lb.replies",
    "passes replies that conntrack knows; restores the source of those it does not",
    DROP,
)
DESTINATION: Final = Table(
    70,
    "destination",
    "qos.pipeline",
    "notes the service that a packet goes to",
    "police",
)
POLICE: Final = Table(
    75,
    "police",
    "qos.pipeline",
    "finds the policy of a packet, which gives it its class, and meters its bits",
    "mark",
)
PACE: Final = Table(
    78,
    "pace",
    "qos.pipeline",
    "meters the packets of policies that limit bits and packets",
    "mark",
)
MARK: Final = Table(
    80,
    "mark",
    "qos.pipeline",
    "marks a packet with the DSCP of its class, and chooses the queue of its class",
    "forward",
)
FORWARD: Final = Table(
    90,
    "forward",
    "ryu_apps.forwarding",
    "finds the port of the destination, or the way to its switch",
    DROP,
    tells=True,
)
OUTPUT: Final = Table(100, "output", "ryu_apps.forwarding", "sends out of the port found", DROP)

PIPELINE: Final = (
    CLASSIFY,
    ARRIVE,
    LEARN,
    ARP,
    ADVERTISE,
    SOURCE,
    CONNTRACK,
    ORIGIN,
    SERVICE,
    RECALL,
    REMEMBER,
    EMPTY,
    ENDPOINT,
    REPLY,
    DESTINATION,
    POLICE,
    PACE,
    MARK,
    FORWARD,
    OUTPUT,
)

_NAMES: Final = {table.number: table.name for table in PIPELINE}
_NUMBERS: Final = {table.name: table.number for table in PIPELINE}


def table_name(number: int) -> str:
    """The table's name, or its number as text where the pipeline has no such table."""
    return _NAMES.get(number, str(number))


def table_number(name: str) -> int:
    """The number of a table given by name or number. ValueError names the tables there are."""
    if name in _NUMBERS:
        return _NUMBERS[name]
    if name.isdigit() and int(name) <= 254:
        return int(name)
    raise ValueError(f"no table {name!r}; there are {', '.join(_NUMBERS)}")
