"""A link that loses packets, with the port of a controller behind it.

Two TAP devices, one of them in a network namespace, and a thread that carries frames from one to
the other, or does not. What loses packets then is a real TCP connection, which sends them again.
"""

from __future__ import annotations

import fcntl
import os
import select
import socket
import struct
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from random import Random
from typing import Final

from pyroute2 import netns

from tests.fabric.relay import relay
from topologies.processes import run

_NAMESPACE: Final = "pw-lossy"
_HERE, _THERE = "pw-lossy0", "pw-lossy1"
_HERE_ADDRESS, _ADDRESS = "169.254.177.1/30", "169.254.177.2"
_FRAME: Final = 1 << 16

# linux/if_tun.h
_TUNSETIFF: Final = 0x400454CA
_IFF_TAP, _IFF_NO_PI = 0x0002, 0x1000


class Loss:
    """share: how many of the frames are lost, 0 to 1; carried, lost: how many there were."""

    def __init__(self, random: Random) -> None:
        self.share = 0.0
        self.carried = 0
        self.lost = 0
        self._random = random

    def carry(self, ends: tuple[int, int], ending: int) -> None:
        """Until `ending` can be read."""
        while True:
            ready, _, _ = select.select([*ends, ending], [], [])
            if ending in ready:
                return
            for end in ready:
                frame = os.read(end, _FRAME)
                if self._random.random() < self.share:
                    self.lost += 1
                    continue
                self.carried += 1
                with suppress(OSError):  # the other end is down
                    os.write(ends[end == ends[0]], frame)


@contextmanager
def lossy_controller(port: int, random: Random) -> Iterator[tuple[str, Loss]]:
    """A target that leads to the controller at this port of the loopback address, and its loss."""
    loss = Loss(random)
    with ExitStack() as stack:
        run(["ip", "netns", "add", _NAMESPACE])
        stack.callback(run, ["ip", "netns", "del", _NAMESPACE])
        ends = _tap(stack, _HERE), _tap(stack, _THERE)
        run(["ip", "link", "set", _THERE, "netns", _NAMESPACE])
        _set_up((), _HERE, _HERE_ADDRESS)
        _set_up(("-n", _NAMESPACE), _THERE, f"{_ADDRESS}/30")
        told, ending = os.pipe()
        for descriptor in (told, ending):
            stack.callback(os.close, descriptor)
        thread = threading.Thread(target=loss.carry, args=(ends, told))
        thread.start()
        stack.callback(thread.join)
        stack.callback(os.write, ending, b".")
        through = stack.enter_context(relay(port, _listening_there()))
        yield f"tcp:{_ADDRESS}:{through.port}", loss


def _tap(stack: ExitStack, name: str) -> int:
    descriptor = os.open("/dev/net/tun", os.O_RDWR)
    stack.callback(os.close, descriptor)
    fcntl.ioctl(
        descriptor, _TUNSETIFF, struct.pack("16sH22x", name.encode(), _IFF_TAP | _IFF_NO_PI)
    )
    return descriptor


def _set_up(where: tuple[str, ...], name: str, address: str) -> None:
    run(["ip", *where, "address", "add", address, "dev", name])
    run(["ip", *where, "link", "set", name, "up"])


def _listening_there() -> socket.socket:
    """A thread goes there to make it; sockets stay where they were made."""
    made: list[socket.socket] = []

    def make() -> None:
        netns.setns(_NAMESPACE, flags=0)
        made.append(socket.create_server((_ADDRESS, 0)))

    thread = threading.Thread(target=make)
    thread.start()
    thread.join()
    return made[0]
