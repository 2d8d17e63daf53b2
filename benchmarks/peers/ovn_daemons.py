"""Daemons of Open vSwitch and OVN in a directory of their own, beside the machine's.

Owns starting and ending them, and asking a daemon by its control socket without the start of a
process. What runs here is never the machine's own, and is ended by its number.
"""

from __future__ import annotations

import os
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

import ovs.jsonrpc
import ovs.stream
from ovs.unixctl.client import UnixctlClient

from benchmarks.errors import BenchmarkFailed
from benchmarks.sites.site import until
from prewire.processes import tied

_STARTED_SECONDS: Final = 30.0
_ENDED_SECONDS: Final = 10.0
_ANSWER_SECONDS: Final = 300.0
_LOG_SHOWN: Final = 2000  # characters


class Daemons:
    """Everything that runs in a directory, whose path is short: it is part of sockets' names."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self._running: dict[str, subprocess.Popen[bytes]] = {}
        self._detached: dict[str, int] = {}

    @property
    def environment(self) -> Mapping[str, str]:
        """What programs need to find these daemons instead of the machine's."""
        kinds = ("RUNDIR", "DBDIR", "LOGDIR", "SYSCONFDIR")
        names = [f"{project}_{kind}" for project in ("OVS", "OVN") for kind in kinds]
        return os.environ | dict.fromkeys(names, str(self.directory))

    def socket(self, name: str) -> str:
        """A socket of this directory as OVSDB and OpenFlow name it."""
        return f"unix:{self.directory / name}"

    def control(self, name: str) -> Path:
        """The control socket that a daemon is told to make."""
        return self.directory / f"{name}.ctl"

    def start(
        self, name: str, *command: str, within: Sequence[str] = (), asked: bool = True
    ) -> None:
        """Start a daemon, and wait until it can be asked; `asked` is not for one that cannot.

        within: a command that starts it in its own place. BenchmarkFailed where it does not start.
        """
        options = self._options(name)
        options += [f"--unixctl={self.control(name)}"] if asked else []
        self.control(name).unlink(missing_ok=True)
        process = subprocess.Popen(
            [*tied(), *within, *command, *options],
            env=self.environment,
            stdin=subprocess.DEVNULL,
            start_new_session=True,
        )
        self._running[name] = process
        if asked:
            until(lambda: self._answers(name), f"{name} answers{self._log(name)}", _STARTED_SECONDS)

    def start_detached(self, name: str, *command: str) -> None:
        """Start a daemon that is one only in the background; it ends when it is asked to."""
        file = self.directory / f"{name}.pid"
        self.run(
            *command,
            "--detach",
            f"--pidfile={file}",
            f"--unixctl={self.control(name)}",
            *self._options(name),
        )
        self._detached[name] = int(file.read_text())

    def pid(self, name: str) -> int:
        """The number of a daemon that `start` started."""
        return self._running[name].pid

    def pids(self) -> list[int]:
        """Those of all."""
        return [*(each.pid for each in self._running.values()), *self._detached.values()]

    def stop(self, name: str) -> None:
        """End a daemon."""
        process = self._running.pop(name)
        process.terminate()
        try:
            process.wait(_ENDED_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()

    def kill(self, name: str) -> None:
        """End a daemon before it can put anything away."""
        process = self._running.pop(name)
        process.kill()
        process.wait()

    def close(self) -> None:
        """End all, the last one first."""
        for name in list(self._detached):
            del self._detached[name]
            self.ask(name, "exit")
        for name in reversed(list(self._running)):
            self.stop(name)

    def ask(self, name: str, command: str, *arguments: str) -> str:
        """A daemon's answer by its control socket; BenchmarkFailed where it refuses."""
        opened = ovs.stream.Stream.open(f"unix:{self.control(name)}")
        error, stream = ovs.stream.Stream.open_block(opened)
        if error:
            raise BenchmarkFailed(f"{name}: {os.strerror(error)}")
        client = UnixctlClient(ovs.jsonrpc.Connection(stream))
        try:
            error, refusal, answer = client.transact(command, list(arguments))
        finally:
            client.close()
        if error or refusal is not None:
            raise BenchmarkFailed(f"{name} {command}: {refusal or os.strerror(error)}")
        return str(answer)

    def run(self, *command: str) -> str:
        """A program of this place, to its end; BenchmarkFailed with its complaint."""
        done = subprocess.run(
            command,
            env=self.environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=_ANSWER_SECONDS,
            check=False,
        )
        if done.returncode:
            raise BenchmarkFailed(f"{' '.join(command)[:200]}: {done.stderr.strip()}")
        return done.stdout

    def _options(self, name: str) -> list[str]:
        """For every daemon: what it tells goes to a file."""
        quiet = ["-vconsole:off", "-vsyslog:off", "-vfile:warn"]
        return ["--no-chdir", *quiet, f"--log-file={self.directory / name}.log"]

    def _answers(self, name: str) -> bool:
        if self._running[name].poll() is not None:
            raise BenchmarkFailed(f"{name} has ended{self._log(name)}")
        return self.control(name).exists()

    def _log(self, name: str) -> str:
        file = self.directory / f"{name}.log"
        return f": {file.read_text()[-_LOG_SHOWN:]}" if file.exists() else ""
