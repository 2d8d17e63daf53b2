"""Cookie layout: who owns a flow, for what object, and in which epoch of leadership.

    63      56 55            40 39    32 31                          0
    +---------+----------------+--------+-----------------------------+
    | 0x70 'p'|     epoch      |  kind  |        object number        |
    +---------+----------------+--------+-----------------------------+

A flow whose first byte is not 0x70 is not ours: it is left alone and reported as alien. Groups and
meters carry no cookie in OpenFlow; ours have ids in GROUP_IDS, ROUTE_IDS and METER_IDS.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum
from typing import Final

OWNER: Final = 0x70
OWNER_COOKIE: Final = OWNER << 56
OWNER_MASK: Final = 0xFF << 56
EPOCH_MASK: Final = 0xFFFF << 40
EPOCHS: Final = 1 << 16

# A service's group is GROUP_IDS.start + the service's number.
GROUP_IDS: Final = range(0x7000_0000, 0x8000_0000)

# A switch's group towards another is ROUTE_IDS.start + the other's conntrack zone.
ROUTE_IDS: Final = range(0x6000_0000, 0x6000_8000)

# Above what people number by hand, below what datapaths take: 2**18 (userspace), 200000 (kernel).
METER_IDS: Final = range(0x1_0000, 0x3_0000)


class Kind(IntEnum):
    """What the object number of a cookie counts."""

    BASE = 0  # the same in every switch; object: 0, in the marker the database's own number
    VIP = 1  # a virtual address; object: the IPv4 address
    HOST = 2  # a container's address; object: the IPv4 address
    SERVICE = 3  # object: the service's number
    CONTAINER = 4  # object: the container's number
    STATION = 5  # a host, container or other machine; object: the last 32 bits of its MAC address
    PORT = 6  # a port of the switch; object: its number
    POLICY = 7  # object: the policy's number
    CLASS = 8  # a QoS class; object: its number
    MEMBER = 9  # an address of services that policies name; object: its last 32 bits


@dataclass(frozen=True, slots=True)
class Cookie:
    """The parts of a cookie. epoch: 0..65535 (it wraps); number: 0..2**32-1."""

    kind: Kind
    number: int
    epoch: int = 0

    @property
    def value(self) -> int:
        return OWNER_COOKIE | (self.epoch % EPOCHS) << 40 | self.kind << 32 | self.number


def is_our_group(group_id: int) -> bool:
    """Whether a group with this id is prewire's."""
    return group_id in GROUP_IDS or group_id in ROUTE_IDS


def is_ours(cookie: int) -> bool:
    """Whether a flow with this cookie was installed by prewire."""
    return cookie & OWNER_MASK == OWNER_COOKIE


def without_epoch(cookie: int) -> int:
    """The cookie with its epoch cleared: what identifies the intent, whoever led at the time."""
    return cookie & ~EPOCH_MASK


def with_epoch(cookie: int, epoch: int) -> int:
    """The cookie stamped with an epoch (taken modulo 65536)."""
    return without_epoch(cookie) | (epoch % EPOCHS) << 40


def read(cookie: int) -> Cookie | None:
    """The parts of one of our cookies; None for a cookie that is not ours or of an unknown kind."""
    kind = cookie >> 32 & 0xFF
    if not is_ours(cookie) or kind not in Kind.__members__.values():
        return None
    return Cookie(Kind(kind), cookie & 0xFFFF_FFFF, cookie >> 40 & 0xFFFF)
