"""Certificates made by ovs-pki for tests, and an ovsdb-server that asks for them."""

from __future__ import annotations

import os
import socket
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from nib import tls
from nib.dbfile import init
from nib.tls import TlsFiles
from prewire import processes
from prewire.certificates import Authorities
from tests.needs import need_ovs
from tests.places import free_ports, short_directory
from tests.waiting import until


@dataclass(frozen=True, slots=True)
class Certified:
    """Two CAs of ours, and two of a stranger; each with a controller and a switch."""

    directory: Path

    @property
    def prewire(self) -> TlsFiles:
        """What the setting tls names."""
        return TlsFiles(self.directory / "ours" / "controller")

    @property
    def switch(self) -> Path:
        """What a switch of ours has."""
        return self.directory / "ours" / "switch"

    @property
    def stranger(self) -> TlsFiles:
        """What another's controller has."""
        return TlsFiles(self.directory / "theirs" / "controller")

    @property
    def strange_switch(self) -> Path:
        """What another's switch has."""
        return self.directory / "theirs" / "switch"


@contextmanager
def certified() -> Iterator[Certified]:
    """Made anew; about three seconds."""
    need_ovs()
    with short_directory() as directory:
        for owner in ("ours", "theirs"):
            authorities = Authorities(directory / owner / "pki")
            authorities.directory.parent.mkdir()
            authorities.init()
            authorities.issue("controller", directory / owner / "controller", "control1")
            authorities.issue("switch", directory / owner / "switch", "leaf1")
        yield Certified(directory)


@contextmanager
def secure_database(files: TlsFiles) -> Iterator[str]:
    """An empty NIB that listens by TLS alone; its remote."""
    with short_directory() as directory:
        init(directory / "nib.db")
        port = free_ports("nib")["nib"]
        with listening(directory / "nib.db", port, tls.server_options(files)) as remote:
            yield remote


@contextmanager
def listening(database: Path, port: int, options: list[str]) -> Iterator[str]:
    """An ovsdb-server of this database file on pssl:, with these options."""
    here = database.parent
    argv = [*processes.tied(), "ovsdb-server", str(database), f"--remote=pssl:{port}:127.0.0.1"]
    argv += [f"--pidfile={here}/server.pid", f"--unixctl={here}/server.ctl", *options]
    argv += ["-vconsole:off", "-vsyslog:off", f"--log-file={here}/server.log"]
    with subprocess.Popen(
        argv, stdin=subprocess.DEVNULL, env=os.environ | {"OVS_RUNDIR": str(here)}
    ) as server:
        try:
            until(lambda: _is_listening(port), bool, "ovsdb-server listens")
            yield f"ssl:127.0.0.1:{port}"
        finally:
            server.terminate()


def _is_listening(port: int) -> bool:
    with socket.socket() as client:
        return client.connect_ex(("127.0.0.1", port)) == 0
