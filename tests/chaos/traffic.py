"""Clients on every leaf and an echo server in every container, and a tally of their connections."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from tests.fabric.site import FabricSite
from tests.waiting import until

VIP: Final = "10.0.0.101"
PORT: Final = 7
CONTAINER_PORT: Final = 7000
SERVICE: Final = "held"
HELD: Final = 6  # of each client

_PROGRAMS: Final = Path(__file__).parent / "in_host"


@dataclass(frozen=True, slots=True)
class Tally:
    """Since last asked. lost: held connections by the container they were to; why: of all."""

    new: Counter[str]
    lost: Counter[str]
    why: Counter[str]


@dataclass
class Traffic:
    """While it runs."""

    site: FabricSite
    servers: dict[str, subprocess.Popen[bytes]] = field(default_factory=dict)
    clients: list[subprocess.Popen[bytes]] = field(default_factory=list)
    held: int = 0
    _new: Counter[str] = field(default_factory=Counter)
    _lost: Counter[str] = field(default_factory=Counter)
    _why: Counter[str] = field(default_factory=Counter)
    _echoed: dict[int, float] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _readers: list[threading.Thread] = field(default_factory=list)

    @property
    def wanted(self) -> int:
        """How many connections are to be held."""
        return HELD * len(self.clients)

    def take(self) -> Tally:
        """What happened since last asked."""
        with self._lock:
            taken = Tally(self._new, self._lost, self._why)
            self._new, self._lost, self._why = Counter(), Counter(), Counter()
        return taken

    def serve(self, name: str) -> None:
        """Start a container's server, which must not run."""
        address = self.site.container(name).address
        argv = [sys.executable, str(_PROGRAMS / "echo.py"), address, str(CONTAINER_PORT), name]
        process = self.site.net.popen(name, argv, stdout=subprocess.PIPE)
        assert process.stdout is not None
        assert process.stdout.readline() == b"ready\n", f"the server of {name} fails"
        self.servers[name] = process

    def kill_server(self, name: str) -> None:
        """SIGKILL: the container is dead."""
        process = self.servers.pop(name)
        os.killpg(process.pid, signal.SIGKILL)
        process.wait(60)
        _close(process)

    def begin(self) -> None:
        """Have clients talk; returns when all connections are held."""
        for host in self.site.clients:
            argv = [sys.executable, str(_PROGRAMS / "client.py"), VIP, str(PORT), str(HELD)]
            process = self.site.net.popen(host, argv, stdout=subprocess.PIPE)
            self.clients.append(process)
            thread = threading.Thread(target=self._read, args=(process,), daemon=True)
            thread.start()
            self._readers.append(thread)
        self.await_held()

    def await_held(self) -> None:
        """Return when all connections are held, again, and an echo has come on each since now.

        A connection that a fault broke may learn of it only with its next packet.
        """
        now = time.monotonic()

        def held() -> int:
            with self._lock:
                since = [at > now for at in self._echoed.values()]
            return self.held if len(since) == len(self.clients) and all(since) else 0

        until(held, lambda found: found == self.wanted, "all connections are held and answer", 60)

    def end(self) -> None:
        """Kill all."""
        for process in (*self.clients, *self.servers.values()):
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGKILL)
            process.wait(60)
        for thread in self._readers:
            thread.join(10)
        for process in (*self.clients, *self.servers.values()):
            _close(process)

    def _read(self, process: subprocess.Popen[bytes]) -> None:
        assert process.stdout is not None
        for line in process.stdout:
            try:
                self._note(process.pid, json.loads(line))
            except ValueError:
                return  # killed in the middle of it

    def _note(self, client: int, told: dict[str, Any]) -> None:
        with self._lock:
            if "open" in told:
                self.held += 1
            elif "lost" in told:
                self.held -= 1
                self._lost[str(told["lost"])] += 1
                self._why[f"held: {told['why']}"] += 1
            else:
                self._echoed[client] = time.monotonic() - told.pop("silent")
                self._why.update(told.pop("why"))
                self._new.update(told)


def _close(process: subprocess.Popen[bytes]) -> None:
    """The pipe of one that has ended."""
    if process.stdout is not None:
        process.stdout.close()


@contextmanager
def running(site: FabricSite) -> Iterator[Traffic]:
    """Servers in all containers; clients begin when told to."""
    traffic = Traffic(site)
    try:
        for name in site.containers:
            traffic.serve(name)
        yield traffic
    finally:
        traffic.end()
