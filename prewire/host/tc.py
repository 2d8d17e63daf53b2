"""The kernel's side of a device's queues: what its root qdisc is, filters by DSCP, leaf queues.

Open vSwitch makes an htb qdisc 1: whose class for queue n is 1:(n+1). Its userspace datapath
ignores the queue that a flow sets, so filters choose the class by the packet's mark, IPv4 and IPv6;
what has no filter, and what has a VLAN tag, goes to queue 0. A filter's handle says what it does,
so that one that is missing is seen without reading its selector.

Must not know: OVSDB, the NIB, which classes there are and why.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, Final, TypeAlias

from pyroute2 import IPRoute
from pyroute2.netlink import NLM_F_ACK, NLM_F_CREATE, NLM_F_REPLACE, NLM_F_REQUEST
from pyroute2.netlink.exceptions import NetlinkError
from pyroute2.netlink.rtnl import RTM_NEWQDISC
from pyroute2.netlink.rtnl.tcmsg import tcmsg

from prewire.errors import CommandFailed

_ROOT: Final = 0xFFFF_FFFF  # TC_H_ROOT
_HTB: Final = 0x1_0000  # 1:, as Open vSwitch calls it
_LINK: Final = 0xFFFE  # the class of the whole port, 1:fffe
_LEAF: Final = "pfifo_head_drop"
_IPV4: Final = 0x0800
_IPV6: Final = 0x86DD
_PREFERENCES: Final = {_IPV4: 0x7A4, _IPV6: 0x7A6}  # of our filters; no two protocols share one
_NODE: Final = 0xFFF  # of a u32 filter's handle
_REPLACE: Final = NLM_F_REQUEST | NLM_F_ACK | NLM_F_CREATE | NLM_F_REPLACE

# Protocol, and the number in its handle: 1 + DSCP x 16 + queue.
Filter: TypeAlias = tuple[int, int]


class TcFailed(CommandFailed):
    """The kernel refused; the text says what."""


@dataclass(frozen=True, slots=True)
class Root:
    """The root qdisc of a device. leaves: (kind, limit in packets) below its classes, by minor."""

    kind: str
    handle: int
    leaves: Mapping[int, tuple[str, int]] = field(default_factory=dict)

    @property
    def is_htb(self) -> bool:
        """Whether it is what Open vSwitch makes for linux-htb."""
        return self.kind == "htb" and self.handle == _HTB

    @property
    def is_set(self) -> bool:
        """Whether somebody chose it: the kernel's own have no handle."""
        return self.handle != 0

    @property
    def name(self) -> str:
        """As tc(8) shows it, such as "tbf 5:"."""
        return f"{self.kind} {self.handle >> 16:x}:"


class TrafficControl:
    """The devices of this network namespace, by index; `close` it. Methods raise TcFailed."""

    def __init__(self) -> None:
        self._kernel = IPRoute()

    def close(self) -> None:
        """End."""
        self._kernel.close()

    def roots(self) -> dict[int, Root]:
        """The root qdisc of every device."""
        with _refusals("reading qdiscs"):
            rows = self._kernel.get_qdiscs()
        leaves: dict[int, dict[int, tuple[str, int]]] = {}
        for row in rows:
            if row["parent"] & ~0xFFFF == _HTB:
                leaves.setdefault(row["index"], {})[row["parent"] & 0xFFFF] = _leaf(row)
        return {
            row["index"]: Root(
                row.get_attr("TCA_KIND"), row["handle"], leaves.get(row["index"], {})
            )
            for row in rows
            if row["parent"] == _ROOT
        }

    def queues(self, index: int) -> frozenset[int]:
        """The queues that Open vSwitch made classes for."""
        with _refusals("reading classes"):
            minors = {row["handle"] & 0xFFFF for row in self._kernel.get_classes(index)}
        return frozenset(minor - 1 for minor in minors - {0, _LINK})

    def steer(self, index: int, marks: Mapping[int, int]) -> None:
        """Have just these filters at an htb root: queue by DSCP. New ones come first."""
        wanted = _filters_for(marks)
        with _refusals("filters by DSCP"):
            there = self._filters(index)
            for each in sorted(wanted - there.keys()):
                self._add(index, *each)
        self.unsteer(index, marks)

    def unsteer(self, index: int, marks: Mapping[int, int]) -> None:
        """Remove the filters that are not among these: a class that has one cannot go."""
        wanted = _filters_for(marks)
        with _refusals("filters by DSCP"):
            for each, handle in self._filters(index).items():
                if each not in wanted:
                    self._delete(index, each[0], handle)

    def limit(self, index: int, packets: Mapping[int, int], root: Root) -> None:
        """Have leaf queues that hold so many packets, by queue, and drop their oldest when full.

        A queue that refuses the newest tells the sender so, and Open vSwitch then gives up all that
        it was about to send with it, of other classes too.
        """
        for queue, most in packets.items():
            if root.leaves.get(queue + 1) != (_LEAF, most):
                with _refusals(f"leaf queue of class 1:{queue + 1:x}"):
                    self._kernel.nlm_request_batch([_leaf_message(index, queue + 1, most)])

    def _filters(self, index: int) -> dict[Filter, int]:
        """Ours, and their handles."""
        ours = {preference: protocol for protocol, preference in _PREFERENCES.items()}
        return {
            (ours[row["info"] >> 16], row["handle"] & _NODE): row["handle"]
            for row in self._kernel.get_filters(index, 0, _HTB)
            if row["info"] >> 16 in ours and row["handle"] & _NODE
        }

    def _add(self, index: int, protocol: int, node: int) -> None:
        dscp, queue = divmod(node - 1, 16)
        # the traffic class: IPv4's second byte, IPv6's from its fifth bit; two bits of it are ECN
        key = f"{dscp << 2:#04x}/0xfc+1" if protocol == _IPV4 else f"{dscp << 6:#06x}/0x0fc0+0"
        self._filter("add-filter", index, node, protocol, target=_HTB | (queue + 1), keys=[key])

    def _delete(self, index: int, protocol: int, handle: int) -> None:
        self._filter("del-filter", index, handle, protocol, target=0, keys=[])

    def _filter(self, command: str, index: int, handle: int, protocol: int, **more: Any) -> None:
        preference = _PREFERENCES[protocol]
        where = {"parent": _HTB, "prio": preference, "protocol": protocol}
        self._kernel.tc(command, "u32", index, handle, **where, **more)


@contextmanager
def _refusals(doing: str) -> Iterator[None]:
    try:
        yield
    except NetlinkError as error:
        raise TcFailed(f"{doing}: {error}") from None


def _filters_for(marks: Mapping[int, int]) -> set[Filter]:
    return {
        (protocol, 1 + dscp * 16 + queue)
        for protocol in _PREFERENCES
        for dscp, queue in marks.items()
    }


def _leaf(row: Any) -> tuple[str, int]:
    kind = row.get_attr("TCA_KIND")
    options = row.get_attr("TCA_OPTIONS")
    if kind != _LEAF or not isinstance(options, str):
        return kind, 0
    return kind, int.from_bytes(bytes.fromhex(options.replace(":", "")), "little")


def _leaf_message(index: int, minor: int, most: int) -> tcmsg:
    """By hand: pyroute2 knows no such qdisc."""
    message = tcmsg()
    message["header"]["type"] = RTM_NEWQDISC
    message["header"]["flags"] = _REPLACE
    message["index"] = index
    message["parent"] = _HTB | minor
    message["attrs"] = [("TCA_KIND", _LEAF), ("TCA_OPTIONS", struct.pack("=I", most))]
    return message
