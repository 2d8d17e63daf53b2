"""A machine of a test's own: what is typed in it meets nobody.

It has its own network, mounts and processes, all in namespaces: /var/lib/prewire, /run/openvswitch,
network namespaces, ports such as 6653 on the loopback address are its own, so commands run exactly
as the documentation has them. Files elsewhere are the machine's that runs the test.

Needs root. Whatever was started in it ends with it, also when the test is killed.
"""

from __future__ import annotations

import fcntl
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO, Final, Self

_NAMED_NETWORKS: Final = "/run/netns"  # of ip-netns(8)

# Where a machine keeps what must be its own: empty at first.
_OWN: Final = (
    "/etc/openvswitch",
    "/etc/prewire",
    "/var/lib/openvswitch",
    "/var/lib/prewire",
    "/var/log/openvswitch",
    "/run/openvswitch",
    _NAMED_NETWORKS,
    "/tmp/tour",  # noqa: S108 - its own, too: mounted there
)
_BEGIN: Final = "ip link set lo up && echo up && read -r"  # ends with the pipe's other end
_SETUP: Final = 'for each in "$@"; do mount -t tmpfs own "$each" || exit 1; done; '
_TOOLS: Final = os.pathsep.join((str(Path(sys.executable).parent), "/usr/sbin", "/sbin"))


@contextmanager
def _one_at_a_time() -> Iterator[None]:
    """Machines of other processes wait: folders neither come nor go meanwhile."""
    folder = os.open("/run", os.O_RDONLY | os.O_DIRECTORY)
    try:
        fcntl.flock(folder, fcntl.LOCK_EX)
        yield
    finally:
        os.close(folder)


class Machine:
    """From `with` to its end. `environment`: more variables for everything that runs in it."""

    def __init__(self, environment: Mapping[str, str] | None = None) -> None:
        self._environment = dict(environment or {})
        self._first: subprocess.Popen[str] | None = None
        self._started: list[subprocess.Popen[bytes]] = []
        self._made: list[Path] = []
        self._held: list[int] = []

    def __enter__(self) -> Self:
        with _one_at_a_time():
            self._made = [path for each in _OWN if not (path := Path(each)).exists()]
            for path in self._made:
                path.mkdir(parents=True, exist_ok=True)
            self._held = [os.open(each, os.O_RDONLY | os.O_DIRECTORY) for each in _OWN]
            for each in self._held:
                fcntl.flock(each, fcntl.LOCK_SH)
        unshare = ("unshare", "--net", "--mount", "--pid", "--fork", "--mount-proc", "--kill-child")
        self._first = subprocess.Popen(
            [*unshare, "--propagation=private", "bash", "-c", _SETUP + _BEGIN, "machine", *_OWN],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )
        assert self._first.stdout is not None
        if self._first.stdout.readline() != "up\n":
            self.close()
            raise RuntimeError("no machine: network, mount and process namespaces need root")
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """End every process in it. Harmless when closed already."""
        if self._first is not None:
            self._first.kill()  # with unshare ends the first process, with that all others
            self._first.communicate()
            self._first = None
        for process in self._started:
            process.wait()
        self._started = []
        with _one_at_a_time():
            for path in self._made:
                self._take_back(path)
            for each in self._held:
                os.close(each)
        self._made, self._held = [], []

    def _take_back(self, path: Path) -> None:
        """Remove a folder that was made to mount on, unless another machine has it, too: removing
        it would take the mount away from that one."""
        if str(path) == _NAMED_NETWORKS:
            return  # `ip netns add` of anybody would fail if it went in the middle of it
        with suppress(OSError):  # somebody has it, or put something into it
            fcntl.flock(self._held[_OWN.index(str(path))], fcntl.LOCK_EX | fcntl.LOCK_NB)
            path.rmdir()

    @property
    def variables(self) -> dict[str, str]:
        """The environment of what runs in it: without settings, with prewire on the path."""
        own = {name: value for name, value in os.environ.items() if not name.startswith("PREWIRE_")}
        path = os.pathsep.join((_TOOLS, own.get("PATH", "")))
        return own | {"PATH": path, "COLUMNS": "120"} | self._environment

    def command(self, *argv: str) -> list[str]:
        """argv, run in this machine."""
        assert self._first is not None, "use Machine in a with statement"
        pid = self._first.pid
        (inner,) = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
        here = f"--wd={Path.cwd()}"
        return ["nsenter", f"--target={inner}", "--net", "--mount", "--pid", here, "--", *argv]

    def run(self, *argv: str, timeout_s: float = 60.0) -> subprocess.CompletedProcess[str]:
        """Run a command to its end; what it printed and complained are together in `stdout`."""
        return subprocess.run(
            self.command(*argv),
            env=self.variables,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=timeout_s,
            check=False,
        )

    def start(self, argv: Sequence[str], log: IO[bytes]) -> subprocess.Popen[bytes]:
        """Start a process that goes on; what it prints goes into the log."""
        process = subprocess.Popen(
            self.command(*argv),
            env=self.variables,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
        )
        self._started.append(process)
        return process
