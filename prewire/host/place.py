"""One switch's health port at work: made, kept up to date, taken away.

Must not know: which switches there are, how targets are found.
"""

from __future__ import annotations

import asyncio
import logging
import random
import socket
import threading
from collections.abc import Mapping
from contextlib import ExitStack
from typing import Final

from gateway_lb.health import Target, health_iface
from nib.database import Nib
from prewire.host.checks import Checks, Key
from prewire.host.ovs import Bridge, OpenVSwitch, OvsFailed
from prewire.host.port import Addresses, Namespace, PortFailed, mac_of, outer_name

LOG = logging.getLogger(__name__)

_IDLE_S: Final = 2.0


class Place:
    """A switch whose containers are checked from here. Raises OvsFailed or PortFailed."""

    def __init__(self, bridge: Bridge, ovs: OpenVSwitch, nib: Nib) -> None:
        self.bridge = bridge
        self.port = outer_name(bridge.dpid)
        self._ovs = ovs
        self._nib = nib
        self._lock = threading.Lock()  # guards _wanted and _loop
        self._wanted: tuple[set[str], dict[Key, Target]] = (set(), {})
        self._loop: asyncio.AbstractEventLoop | None = None
        self._changed = asyncio.Event()
        self._ending = False
        with ExitStack() as undo:
            undo.enter_context(_alone(bridge.dpid))
            ovs.delete_port(self.port)  # of an agent that was killed
            self._namespace = Namespace(self.port)
            undo.callback(self._namespace.close)
            mac = mac_of(bridge.dpid)
            self._namespace.connect(self.port, mac)
            ovs.add_health_port(bridge.name, self.port, health_iface(bridge.dpid), mac)
            self._namespace.run(self._work)
            self._undo = undo.pop_all()
        LOG.info("health port %s in bridge %s", self.port, bridge.name)

    def is_whole(self, bridge: Bridge) -> bool:
        """Whether it serves this bridge and nobody took a part of it away."""
        is_there = bridge.name == self.bridge.name and self.port in bridge.ports
        return is_there and not self._namespace.is_idle

    def set(self, vips: set[str], targets: Mapping[Key, Target]) -> None:
        """Have these addresses, and check these containers."""
        wanted = vips, dict(targets)
        with self._lock:
            is_known = wanted == self._wanted
            self._wanted = wanted
        if not is_known:
            self._wake()

    def close(self) -> None:
        """Take the port out of the bridge and end; verdicts stay."""
        self._ending = True
        self._wake()
        self._namespace.await_idle(_IDLE_S)  # else the last checks would fail
        try:
            self._ovs.delete_port(self.port)
        except OvsFailed as error:
            LOG.warning("%s; the port %s stays in the bridge", error, self.port)
        self._undo.close()

    def _wake(self) -> None:
        with self._lock:
            if self._loop is not None:
                self._loop.call_soon_threadsafe(self._changed.set)

    async def _work(self) -> None:
        checks = Checks(self._nib, random.Random())  # noqa: S311 - spreads checks, keeps no secret
        async with Addresses() as addresses:
            with self._lock:
                self._loop = asyncio.get_running_loop()
            try:
                while not self._ending:
                    await self._follow(addresses, checks)
            finally:
                with self._lock:
                    self._loop = None
                await checks.close()

    async def _follow(self, addresses: Addresses, checks: Checks) -> None:
        """Do what is wanted, and wait until something else is."""
        self._changed.clear()
        with self._lock:
            vips, targets = self._wanted
        try:
            await addresses.set(vips)
        except PortFailed as error:
            LOG.warning("%s", error)
        checks.set(targets)
        await self._changed.wait()


def _alone(dpid: str) -> socket.socket:
    """Says to other agents of this host that the switch is taken, until it is closed."""
    said = socket.socket(socket.AF_UNIX)
    try:
        said.bind(f"\0{health_iface(dpid)}")
    except OSError:
        said.close()
        raise PortFailed(f"another node agent serves the switch {dpid}; end one of them") from None
    return said
