"""The hosts of a network that is up: commands run in their namespaces, their web servers.

It knows nothing of switches, nor of how a host's namespace was made.
"""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import IO, Any

from topologies.errors import NetworkError
from topologies.spec import HostSpec, NetworkSpec
from topologies.web_server import WebServer


class Hosts:
    """Run commands in the hosts of a network, stop and start their web servers."""

    def __init__(self, spec: NetworkSpec, directory: Path) -> None:
        """directory: where the web servers' files are."""
        self.spec = spec
        self._directory = directory
        self._pids: dict[str, int] = {}
        self._servers: dict[str, WebServer] = {}
        self._children: list[subprocess.Popen[Any]] = []

    def pid(self, host: str) -> int:
        """The process that holds the host's network namespace. Raises KeyError when unknown."""
        self.spec.host(host)
        return self._pids[host]

    def popen(
        self,
        host: str,
        argv: Sequence[str],
        *,
        stdin: int | IO[Any] = subprocess.DEVNULL,
        stdout: int | IO[Any] = subprocess.DEVNULL,
        stderr: int | IO[Any] = subprocess.DEVNULL,
    ) -> subprocess.Popen[bytes]:
        """Start a command in the host's network namespace; it is killed when the network ends."""
        process = subprocess.Popen(
            ["mnexec", "-a", str(self.pid(host)), *argv],
            stdin=stdin,
            stdout=stdout,
            stderr=stderr,
            start_new_session=True,
        )
        self._note(process.pid)
        self._children.append(process)
        return process

    def run(
        self, host: str, argv: Sequence[str], timeout_s: float = 30.0
    ) -> subprocess.CompletedProcess[str]:
        """Run a command in the host to its end.

        Any exit code is returned as it is. Raises subprocess.TimeoutExpired after killing the
        command and its children.
        """
        pipe = subprocess.PIPE
        with self.popen(host, argv, stdout=pipe, stderr=pipe) as process:
            try:
                stdout, stderr = process.communicate(timeout=timeout_s)
            except BaseException:
                os.killpg(process.pid, signal.SIGKILL)
                raise
            finally:
                self._children.remove(process)
        return subprocess.CompletedProcess(
            list(argv), process.returncode, stdout.decode(), stderr.decode()
        )

    def stop_server(self, host: str, how: signal.Signals = signal.SIGTERM) -> None:
        """Stop a container's web server: SIGTERM now, SIGQUIT after its requests, SIGKILL crash."""
        self._server(host).stop(how)

    def start_server(self, host: str) -> None:
        """Start a container's stopped web server; returns when it listens."""
        self._server(host).start()

    def adopt(self, host: str, pid: int) -> None:
        """For the builder: `pid` holds this host's namespace."""
        self._note(pid)
        self._pids[host] = pid

    def add_server(self, host: HostSpec) -> None:
        """For the builder: give a container its web server and start it."""

        def start(argv: Sequence[str]) -> subprocess.Popen[bytes]:
            return self.popen(host.name, argv)

        self._servers[host.name] = WebServer(host, self._directory / host.name, start)
        self._servers[host.name].start()

    def stop_everything(self) -> None:
        """For the removal: stop the web servers, kill what `popen` started, collect both."""
        for server in self._servers.values():
            if server.is_running():
                server.stop()
        for process in self._children:
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()

    def _note(self, pid: int) -> None:
        """For those that keep a journal of what was started."""

    def _server(self, host: str) -> WebServer:
        self.spec.host(host)
        if host not in self._servers:
            raise NetworkError(f"host {host} has no web server; containers have")
        return self._servers[host]
