"""The REST server on a database of its own, without switches or controllers.

Owns starting both and ending both, and what the database knows beforehand: one switch with ports.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from benchmarks.errors import BenchmarkFailed
from benchmarks.sites.api import Api
from benchmarks.sites.counters import processor_seconds, resident_mib
from benchmarks.sites.site import until
from nib.database import Nib
from nib.draft import Draft
from nib.server import EmbeddedServer
from nib.topology import Port, Switch
from prewire import processes, settings
from prewire.ports import free_port

PORTS: Final = 256
_DPID: Final = "0000000000000001"
_READY_SECONDS: Final = 30.0


@dataclass(frozen=True, slots=True)
class RestSite:
    """A running server. `api` is one connection to it."""

    port: int
    pid: int
    database_pid: int
    api: Api

    def processor_seconds(self) -> tuple[float, float]:
        """Of the server and of the database, since they began."""
        return processor_seconds(self.pid), processor_seconds(self.database_pid)

    def memory_mib(self) -> float:
        """What the server has resident."""
        return resident_mib(self.pid)


def iface(number: int) -> str:
    """The iface-id of a port that is known, from 0 to PORTS - 1."""
    return f"pod-{number}"


@contextmanager
def running_rest() -> Iterator[RestSite]:
    """Both run inside the body. Everybody may ask: what access costs is in the figures, looking a
    token up is not. Raises NibError or BenchmarkFailed where something does not start."""
    with (
        tempfile.TemporaryDirectory(prefix="prewire-bench-", dir="/tmp") as directory,
        EmbeddedServer(Path(directory), processes.tied()) as database,
    ):
        given = settings.load(
            state_dir=Path(directory),
            nib="",
            log_level="warning",
            api_port=free_port(8686),
            access="open",
            api_rate=0,
        )
        with Nib(given.nib_remote, "seed") as nib:
            nib.write(_seeded).result(10)
        child = processes.start("api", ["api"], os.environ | given.environment)
        api = Api(given.api_port)
        try:
            until(lambda: _answers(api), "the REST server answers", _READY_SECONDS)
            yield RestSite(given.api_port, child.process.pid, database.pid or 0, api)
        finally:
            api.close()
            processes.stop([child])


def _answers(api: Api) -> bool:
    try:
        api.call("GET", "/v1/status")
    except BenchmarkFailed:
        return False
    return True


def _seeded(draft: Draft) -> None:
    draft.put(Switch(_DPID, 1, "br0", connected=True))
    for number in range(PORTS):
        mac = f"02:00:00:00:01:{number:02x}"
        draft.put(Port(_DPID, f"veth{number}", number + 1, mac, iface(number), _mac(number)))


def _mac(number: int) -> str:
    return f"02:00:00:00:00:{number:02x}"
