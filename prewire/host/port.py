"""The health port of one switch: a veth pair, one end in the bridge, the other in a namespace.

The namespace belongs to a thread and has no name, so that the kernel takes it and both ends of the
pair away with the process, however that ends. In it every VIP is a local address, so that checks
come from where clients think the service is, and a VIP's closed ports answer with resets.

Must not know: what is checked, the NIB.
"""

from __future__ import annotations

import array
import asyncio
import ctypes
import errno
import fcntl
import hashlib
import logging
import os
import socket
import struct
import threading
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any, Final

from pyroute2 import AsyncIPRoute, IPRoute
from pyroute2.netlink.exceptions import NetlinkError

from prewire.errors import CommandFailed

LOG = logging.getLogger(__name__)

INNER: Final = "vip0"

_NEW_NETWORK: Final = 0x40000000  # CLONE_NEWNET, unshare(2)
_NO_DAD: Final = 0x02  # IFA_F_NODAD, linux/if_addr.h
_LINK_SCOPE: Final = 253  # RT_SCOPE_LINK
_SIOCETHTOOL: Final = 0x8946
# linux/ethtool.h: ETHTOOL_STXCSUM, STSO, SGSO, SGRO
_OFFLOADS: Final = (0x17, 0x1F, 0x24, 0x2C)
_SYSCTLS: Final = {
    "ipv4/ip_forward": "0",
    "ipv6/conf/all/forwarding": "0",
    f"ipv6/conf/{INNER}/accept_ra": "0",
    f"ipv6/conf/{INNER}/addr_gen_mode": "1",  # no link-local address
    f"ipv4/conf/{INNER}/arp_ignore": "8",  # the switch answers for VIPs, nobody else
    f"ipv4/conf/{INNER}/rp_filter": "0",
}


class PortFailed(CommandFailed):
    """The namespace or the pair could not be made; the text says what the kernel refused."""


def outer_name(dpid: str) -> str:
    """What the bridge's end is called: at most 15 characters, one a switch."""
    return f"pwh-{_digest(dpid, 5)}"


def mac_of(dpid: str) -> str:
    """The address of the inner end: locally administered, one a switch, always the same."""
    return ":".join(
        ["02", "70", *(_digest(dpid, 4)[place : place + 2] for place in range(0, 8, 2))]
    )


class Namespace:
    """A thread in a network namespace of its own, which runs one coroutine there.

    Make it, `connect` it, `run`; all three from the thread that owns it.
    """

    def __init__(self, name: str) -> None:
        self._begun = threading.Event()
        self._go = threading.Event()
        self._idle = threading.Event()
        self._may_end = threading.Event()
        self._refused = ""
        self._work: Callable[[], Coroutine[Any, Any, None]] | None = None
        self._thread = threading.Thread(target=self._live, name=name, daemon=True)
        self._thread.start()
        self._begun.wait()
        if self._refused:
            self.close()
            raise PortFailed(f"network namespace: {self._refused}")

    def connect(self, outer: str, mac: str) -> None:
        """Make the pair: `outer` here, INNER with this MAC address there. Raises PortFailed."""
        try:
            with IPRoute() as kernel:
                for index in kernel.link_lookup(ifname=outer):
                    kernel.link("del", index=index)
                descriptor = os.open(self.path, os.O_RDONLY)
                try:
                    peer = {"ifname": INNER, "address": mac, "net_ns_fd": descriptor}
                    kernel.link("add", ifname=outer, kind="veth", peer=peer)
                finally:
                    os.close(descriptor)
                (index,) = kernel.link_lookup(ifname=outer)
                kernel.link("set", index=index, state="up")
        except NetlinkError as error:
            raise PortFailed(f"veth pair {outer}: {error}") from None
        turn_offloads_off(outer)

    def run(self, work: Callable[[], Coroutine[Any, Any, None]]) -> None:
        """Run the coroutine in the thread's loop."""
        self._work = work
        self._go.set()

    def await_idle(self, seconds: float) -> None:
        """Wait that long at most until the coroutine has ended."""
        self._idle.wait(seconds)

    def close(self) -> None:
        """End, once the coroutine has; the namespace goes."""
        self._may_end.set()
        self._go.set()
        self._thread.join(5)

    @property
    def is_idle(self) -> bool:
        """Whether the coroutine has ended, of itself or by a failure."""
        return self._idle.is_set()

    @property
    def path(self) -> str:
        """The namespace as a file, for nsenter(1) and setns(2)."""
        return f"/proc/{os.getpid()}/task/{self._thread.native_id}/ns/net"

    def _live(self) -> None:
        """The thread: it must outlive work that fails, for the namespace ends with it."""
        if ctypes.CDLL(None, use_errno=True).unshare(_NEW_NETWORK):
            self._refused = os.strerror(ctypes.get_errno())
        self._begun.set()
        self._go.wait()
        try:
            if self._work is not None:
                asyncio.run(self._work())
        except Exception:
            LOG.exception("%s failed", self._thread.name)
        self._idle.set()
        self._may_end.wait()


class Addresses:
    """The addresses of the namespace whose loop it is used in; an async context manager."""

    def __init__(self) -> None:
        self._kernel = AsyncIPRoute()
        self._index = 0
        self._held: set[str] = set()
        self._has_ipv6 = Path("/proc/sys/net/ipv6").exists()

    async def __aenter__(self) -> Addresses:
        """Bring the links up, with on-link default routes."""
        self._sysctls()
        await self._kernel.__aenter__()
        for name in ("lo", INNER):
            (self._index,) = await self._kernel.link_lookup(ifname=name)
            await self._kernel.link("set", index=self._index, state="up")
        await self._default_routes()
        turn_offloads_off(INNER)
        return self

    async def __aexit__(self, *_: object) -> None:
        self._kernel.close()

    async def set(self, wanted: set[str]) -> None:
        """Have exactly these addresses; raises PortFailed."""
        try:
            for address in self._held - wanted:
                await self._address("del", address)
                self._held.discard(address)
            for address in wanted - self._held:
                await self._address("add", address)
                self._held.add(address)
            await self._default_routes()  # Linux deletes it with a link's last IPv4 address
        except NetlinkError as error:
            raise PortFailed(f"VIPs in the health namespace: {error}") from None

    async def _default_routes(self) -> None:
        await self._default_route(socket.AF_INET, "0.0.0.0/0", scope=_LINK_SCOPE)
        if self._has_ipv6:
            await self._default_route(socket.AF_INET6, "::/0")

    async def _default_route(self, family: int, everything: str, **more: int) -> None:
        await self._kernel.route("replace", family=family, dst=everything, oif=self._index, **more)

    async def _address(self, command: str, address: str) -> None:
        is_v6 = ":" in address
        if is_v6 and not self._has_ipv6:
            return
        kind = {"prefixlen": 128, "flags": _NO_DAD} if is_v6 else {"prefixlen": 32}
        await self._kernel.addr(command, index=self._index, address=address, **kind)

    def _sysctls(self) -> None:
        for name, value in _SYSCTLS.items():
            path = Path("/proc/sys/net") / name
            if path.exists():  # a kernel without IPv6 has fewer
                path.write_text(value)


def turn_offloads_off(link: str) -> None:
    """Have every packet leave whole and with its checksum: a switch in user space reads them so."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as any_socket:
        for command in _OFFLOADS:
            value = array.array("B", struct.pack("II", command, 0))
            request = struct.pack("16sP", link.encode(), value.buffer_info()[0])
            try:
                fcntl.ioctl(any_socket, _SIOCETHTOOL, request)
            except OSError as error:
                if error.errno != errno.EOPNOTSUPP:
                    raise PortFailed(f"offloads of {link}: {error.strerror}") from None


def _digest(dpid: str, size: int) -> str:
    return hashlib.blake2s(dpid.encode(), digest_size=size).hexdigest()
