"""Who connects to the OpenFlow port and leaves again takes nothing of the controller along."""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator
from typing import Final

import pytest

from prewire import up
from prewire.settings import Settings, load
from tests.places import free_ports, short_directory
from tests.waiting import until

STRANGERS: Final = 40
HALF_A_HELLO: Final = b"\x04\x00\x00"


class Running:
    """A controller's process, and its OpenFlow port."""

    def __init__(self, settings: Settings, pid: int) -> None:
        self.place = ("127.0.0.1", settings.controller_port)
        self.pid = pid

    def threads(self) -> int:
        return len(os.listdir(f"/proc/{self.pid}/task"))

    def descriptors(self) -> int:
        return len(os.listdir(f"/proc/{self.pid}/fd"))


@pytest.fixture(scope="module")
def running() -> Iterator[Running]:
    with short_directory() as directory:
        settings = load(state_dir=directory, switch_db="", **free_ports())
        with up.running(settings, directory / "log") as children:
            pid = next(each.process.pid for each in children if each.name == "controller")
            yield Running(settings, pid)


@pytest.mark.parametrize("said", [b"", HALF_A_HELLO], ids=["nothing", "half a hello"])
def test_a_stranger_that_left_holds_no_thread_and_no_descriptor(
    running: Running, said: bytes
) -> None:
    """os-ken's sending thread waited for ever for what to send, and another for its end."""
    threads, descriptors = running.threads(), running.descriptors()
    for _ in range(STRANGERS):
        with socket.create_connection(running.place, 10) as stranger:
            stranger.sendall(said)
    until(running.threads, lambda count: count <= threads + 2, "their threads have ended")
    until(running.descriptors, lambda count: count <= descriptors, "their sockets are closed")
