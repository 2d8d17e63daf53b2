"""A cluster of ovsdb-servers on this one machine, to try out what a cluster does.

Owns: its servers, each with a directory of its own, and waiting until they are one cluster.
Must not know: records, the replica, or who connects.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from pathlib import Path
from threading import Event
from typing import Final, TypeVar

from nib import raft
from nib.dbfile import run_tool
from nib.errors import ServerError
from nib.rows import DATABASE
from nib.serving import PACE_S, ServerFiles, ServerProcess, check_socket_path

START_SECONDS: Final = 60.0

T = TypeVar("T")


class ClusterServer(ServerProcess):
    """One member. `address` is where the other members reach it."""

    def __init__(
        self,
        directory: Path,
        name: str,
        wrapper: Sequence[str] = (),
        listen: Sequence[str] = (),
        options: Sequence[str] = (),
    ) -> None:
        super().__init__(ServerFiles(directory), wrapper, listen, options)
        self.name = name
        raft_socket = directory / name
        check_socket_path(raft_socket, f"choose a shorter path than {directory.parent}")
        self.address = f"unix:{raft_socket}"

    def status(self) -> raft.ClusterStatus:
        """What it says of the cluster; raises ServerError when it does not answer."""
        return raft.status(self.files.control)

    def wait_connected(self, timeout_s: float = START_SECONDS) -> None:
        """Return when it is in touch with a leader; raises ServerError."""
        waits = (f"--timeout={max(1, round(timeout_s))}", "wait", self.remote, DATABASE)
        run_tool("ovsdb-client", *waits, "connected")


class EmbeddedCluster:
    """`servers` members in the directories `1`, `2`, ... of `directory`, made where absent.

    wrapper: a command that starts each in its own place, such as setpriv. listen: the passive
    remotes of the first, the second, ... beside their unix sockets, and options: more options of
    ovsdb-server, such as those of TLS. Use as a context manager, or call `start` and `close`.
    """

    def __init__(
        self,
        directory: Path,
        wrapper: Sequence[str] = (),
        servers: int = 3,
        *,
        listen: Sequence[str] = (),
        options: Sequence[str] = (),
    ) -> None:
        root = directory.absolute()
        self.servers = tuple(
            ClusterServer(
                root / str(number),
                f"server-{number}",
                wrapper,
                listen[number - 1 : number],
                options,
            )
            for number in range(1, servers + 1)
        )

    @property
    def remote(self) -> str:
        """Where clients of this machine connect: all members."""
        return ",".join(server.remote for server in self.servers)

    def start(self) -> None:
        """Start all members that do not run, and wait until they are one cluster; ServerError."""
        first = self.servers[0]
        for server in self.servers:
            if server.pid is not None:
                continue
            if not server.files.database.exists():
                self._make_file(server)
            server.start()
            if server is first and not _has_met(first):
                first.wait_connected()
        for server in self.servers:
            server.wait_connected()

    def close(self) -> None:
        """End all members."""
        for server in reversed(self.servers):
            server.stop()

    def leader(self, timeout_s: float = START_SECONDS) -> ClusterServer:
        """The member that leads, waited for; raises ServerError.

        A member that is paused is not asked. Two may say that they lead, for a moment after an
        election: the one of the higher term does.
        """
        return _until(self._leader, timeout_s, "no member leads the cluster")

    def followers(self) -> tuple[ClusterServer, ...]:
        """The members that run and do not lead."""
        leader = self.leader()
        return tuple(each for each in self.servers if each is not leader and each.pid is not None)

    def __enter__(self) -> EmbeddedCluster:
        try:
            self.start()
        except BaseException:
            self.close()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _make_file(self, server: ClusterServer) -> None:
        others = [each.address for each in self.servers if each is not server]
        if server is self.servers[0]:
            raft.create(server.files.database, server.address)
        else:
            raft.join(server.files.database, server.address, others)

    def _leader(self) -> ClusterServer | None:
        leading: list[tuple[int, ClusterServer]] = []
        for server in self.servers:
            if server.pid is None or server.paused:
                continue
            status = server.status()
            if status.leads:
                leading.append((status.term, server))
        return max(leading, key=lambda each: each[0])[1] if leading else None


def _has_met(server: ClusterServer) -> bool:
    """Whether it knows of other members; alone, it must lead before it can let others in."""
    return len(server.status().members) > 1


def _until(look: Callable[[], T | None], timeout_s: float, complaint: str) -> T:
    deadline = time.monotonic() + timeout_s
    never = Event()
    while True:
        seen = look()
        if seen is not None:
            return seen
        if time.monotonic() >= deadline:
            raise ServerError(f"{complaint} after {timeout_s:g} s", "see the members' logs")
        never.wait(PACE_S)
