"""What the kernel has behind the ports of this host's switches: qdiscs, filters, veth pairs.

A veth pair's other end may be in any network namespace that a thread of this host lives in or that
has a name; what is in none of these cannot be seen. Needs root.

Must not know: bridges, the database, what is wrong.
"""

from __future__ import annotations

import array
import ctypes
import fcntl
import os
import socket
import struct
import threading
from collections.abc import Callable, Collection, Iterator
from pathlib import Path
from typing import Any, Final, TypeVar

from pyroute2 import IPRoute

from prewire.doctor.facts import Device, Filter, Peer

T = TypeVar("T")

_ROOT: Final = 0xFFFF_FFFF  # TC_H_ROOT
_NEW_NETWORK: Final = 0x40000000  # CLONE_NEWNET, setns(2)
_NO_NSID: Final = 0xFFFF_FFFF  # NETNSA_NSID_NOT_ASSIGNED
_SIOCGIFNAME: Final = 0x8910
_SIOCGIFMTU: Final = 0x8921
_SIOCETHTOOL: Final = 0x8946
_GET_TX_CHECKSUM: Final = 0x16  # ETHTOOL_GTXCSUM
_IFREQ: Final = "16si20x"

# By EtherType: the family, and where a packet's first eight bytes have the DSCP: mask and place.
_DSCP_BITS: Final = {0x0800: ("ip", 0xFC << 48, 50), 0x86DD: ("ipv6", 0x0FC0 << 48, 54)}


def devices(names: Collection[str]) -> dict[str, Device]:
    """The devices of these names that this network namespace has."""
    with IPRoute() as kernel:
        links = {link.get_attr("IFLA_IFNAME"): link for link in kernel.get_links()}
        places = _Places(kernel)
        roots = {q["index"]: q for q in kernel.get_qdiscs() if q["parent"] == _ROOT}
        found = {}
        for name in names:
            if name in links:
                link = links[name]
                found[name] = _device(kernel, link, roots.get(link["index"]), places)
        return found


def _device(kernel: Any, link: Any, root: Any, places: _Places) -> Device:
    kind = root.get_attr("TCA_KIND") if root else "noqueue"
    handle = root["handle"] >> 16 if root else 0
    filters = frozenset(_filters(kernel, link["index"], root["handle"]) if kind == "htb" else ())
    mtu = link.get_attr("IFLA_MTU") or 0
    peer = places.peer(link)
    return Device(mtu, kind, handle, filters, peer, hides_peer=_is_veth(link) and peer is None)


def _is_veth(link: Any) -> bool:
    information = link.get_attr("IFLA_LINKINFO")
    return bool(information) and information.get_attr("IFLA_INFO_KIND") == "veth"


def _filters(kernel: Any, index: int, parent: int) -> Iterator[Filter]:
    """The u32 filters that look at the DSCP alone."""
    for each in kernel.get_filters(index=index, parent=parent):
        options = each.get_attr("TCA_OPTIONS")
        selector = options.get_attr("TCA_U32_SEL") if options else None
        classid = options.get_attr("TCA_U32_CLASSID") if options else None
        protocol = socket.ntohs(each["info"] & 0xFFFF)
        if selector is None or classid is None or protocol not in _DSCP_BITS:
            continue
        family, bits, place = _DSCP_BITS[protocol]
        for mask, value, offset in _keys(selector):
            up = 32 - 8 * offset
            if 0 <= offset <= 4 and mask << up == bits:
                yield Filter(family, value << up >> place, (classid & 0xFFFF) - 1)


def _keys(selector: Any) -> Iterator[tuple[int, int, int]]:
    """Mask and value of each key of a u32 filter, and the byte that they begin at.

    pyroute2 0.9 reads keys from four bytes too early: then what it calls the value is the mask, the
    value stands, in the other order of bytes, where it expects the offset, and that behind it.
    """
    for key in selector["keys"]:
        yield key["key_mask"], key["key_val"], key["key_off"]
        value = int.from_bytes(struct.pack("=i", key["key_off"]), "big")
        yield key["key_val"], value, key["key_offmask"]


# ------------------------------------------------------------------------------- other ends


class _Places:
    """Where other ends of veth pairs are: the network namespaces that can be reached."""

    def __init__(self, kernel: Any) -> None:
        self._kernel = kernel
        self._by_number: dict[int, str] | None = None  # the kernel's number of each -> its file

    def peer(self, link: Any) -> Peer | None:
        """The other end of a veth pair; None: it is none, or is where nobody can look."""
        index, number = link.get_attr("IFLA_LINK"), link.get_attr("IFLA_LINK_NETNSID")
        if index is None or not _is_veth(link):
            return None
        if number is None:
            return _read_peer(index)
        if self._by_number is None:
            self._by_number = dict(self._numbered())
        path = self._by_number.get(number)
        return None if path is None else _inside(path, lambda: _read_peer(index))

    def _numbered(self) -> Iterator[tuple[int, str]]:
        for path in _namespaces():
            try:
                descriptor = os.open(path, os.O_RDONLY)
            except OSError:  # its last thread ended meanwhile
                continue
            try:
                number = self._kernel.get_netnsid(fd=descriptor)["nsid"]
            finally:
                os.close(descriptor)
            if number != _NO_NSID:
                yield number, path


def _namespaces() -> Iterator[str]:
    """A file of every network namespace that has a thread or a name."""
    seen = set()
    for path in (*Path("/proc").glob("[0-9]*/task/[0-9]*/ns/net"), *Path("/run/netns").glob("*")):
        try:
            inode = path.stat().st_ino
        except OSError:  # the thread ended meanwhile
            continue
        if inode not in seen:
            seen.add(inode)
            yield str(path)


def _inside(path: str, ask: Callable[[], T | None]) -> T | None:
    """What a thread finds in that network namespace; None where it is gone."""
    found: list[T | None] = [None]

    def look() -> None:
        try:
            descriptor = os.open(path, os.O_RDONLY)
        except OSError:
            return
        try:
            if ctypes.CDLL(None).setns(descriptor, _NEW_NETWORK) == 0:
                found[0] = ask()
        finally:
            os.close(descriptor)

    thread = threading.Thread(target=look)
    thread.start()
    thread.join()
    return found[0]


def _read_peer(index: int) -> Peer | None:
    """The device of this number in the network namespace of this thread; None: it is gone."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as any_socket:
        try:
            answer = fcntl.ioctl(any_socket, _SIOCGIFNAME, struct.pack(_IFREQ, b"", index))
            name = answer[:16]
            size = fcntl.ioctl(any_socket, _SIOCGIFMTU, struct.pack(_IFREQ, name, 0))
            value = array.array("I", [_GET_TX_CHECKSUM, 0])
            request = struct.pack("16sP", name, value.buffer_info()[0])
            fcntl.ioctl(any_socket, _SIOCETHTOOL, request)
        except OSError:
            return None
    (mtu,) = struct.unpack_from("i", size, 16)
    return Peer(name.rstrip(b"\0").decode(), mtu, bool(value[1]))
