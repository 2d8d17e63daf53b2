"""An ovsdb-server of our own, for machines without a cluster.

Owns: one child process, its files in one directory, and their clearing away.
Must not know: records, the replica, or who connects.

The child is not tied to this process unless a wrapper does it (setpriv --pdeathsig). After a
kill -9 of this process it lives on, loses nothing, and the next `start` says which process to end.
"""

from __future__ import annotations

import os
import socket
import subprocess
import tempfile
import time
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import IO

from nib.dbfile import (
    Conversion,
    backup,
    convert,
    find_tool,
    init,
    refuse_if_locked,
    schema_version,
)
from nib.errors import ServerError
from nib.handshake import check_version

__all__ = ["Conversion", "EmbeddedServer", "backup", "convert", "init", "schema_version"]

MAX_SOCKET_PATH = 107  # sun_path of unix(7), less its final NUL
PACE_S = 0.02


class EmbeddedServer:
    """`ovsdb-server` on the database `nib.db` in `state_dir`, reachable by unix socket alone.

    wrapper: a command that starts it in its own place, such as setpriv or nice.
    Raises ServerError when the socket's path would be too long for the system.
    """

    def __init__(self, state_dir: Path, wrapper: Sequence[str] = ()) -> None:
        self.state_dir = state_dir.absolute()
        self._wrapper = tuple(wrapper)
        self.database = self.state_dir / "nib.db"
        self.socket = self.state_dir / "nib.sock"
        self.log_file = self.state_dir / "nib.log"
        self._control = self.state_dir / "nib.ctl"
        self._pid_file = self.state_dir / "nib.pid"
        self._child: subprocess.Popen[bytes] | None = None
        self._stderr: IO[bytes] | None = None
        length = len(os.fsencode(self.socket))
        if length > MAX_SOCKET_PATH:
            raise ServerError(
                f"the socket {self.socket} would have a path of {length} bytes, "
                f"the system allows {MAX_SOCKET_PATH}",
                f"choose a state_dir with a shorter path than {self.state_dir}",
            )

    @property
    def remote(self) -> str:
        """Where clients connect."""
        return f"unix:{self.socket}"

    @property
    def pid(self) -> int | None:
        """The child's process id while it runs."""
        return None if self._child is None else self._child.pid

    @property
    def process(self) -> subprocess.Popen[bytes] | None:
        """The child while it runs."""
        return self._child

    def start(self, timeout_s: float = 10.0) -> None:
        """Start the server on the database (made when absent) and wait until it answers.

        Raises ServerError when another server has the directory or the child fails, SchemaMismatch
        when the database needs `prewire db convert`, NibError when ovsdb-server is not installed.
        """
        program = find_tool("ovsdb-server")
        self.state_dir.mkdir(parents=True, exist_ok=True)
        self._refuse_second()
        if self.database.exists():
            check_version(schema_version(self.database))
        else:
            init(self.database)
        self._stderr = tempfile.TemporaryFile()  # noqa: SIM115 - as long as the child
        self._child = subprocess.Popen(
            [
                *self._wrapper,
                program,
                str(self.database),
                f"--remote=punix:{self.socket}",
                f"--pidfile={self._pid_file}",
                f"--unixctl={self._control}",
                f"--log-file={self.log_file}",
                "-vconsole:off",
                "-vsyslog:off",
            ],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=self._stderr,
            start_new_session=True,  # a Ctrl-C at the terminal is for us; we end the child in order
        )
        self._wait_until_answering(self._child, timeout_s)

    def stop(self, timeout_s: float = 5.0) -> None:
        """End the child: SIGTERM, and SIGKILL when it has not ended within `timeout_s`."""
        child, self._child = self._child, None
        if child is None:
            return
        child.terminate()
        try:
            child.wait(timeout_s)
        except subprocess.TimeoutExpired:
            child.kill()
            child.wait()
        if self._stderr is not None:
            self._stderr.close()
            self._stderr = None
        self._clear_stale()

    def __enter__(self) -> EmbeddedServer:
        self.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()

    def _refuse_second(self) -> None:
        """Raise ServerError when a living server has our directory; clear a dead one's traces."""
        if is_answering(self.socket):
            raise ServerError(
                f"another ovsdb-server{self._pid_text()} answers on {self.socket}",
                "use it, or end it before starting a new one",
            )
        try:
            refuse_if_locked(self.database)
        except ServerError as error:
            raise ServerError(error.message + self._pid_text(), "end it first") from None
        self._clear_stale()

    def _pid_text(self) -> str:
        with suppress(OSError):  # no file: the text does without
            return f" (process {self._pid_file.read_text('ascii').strip()})"
        return ""

    def _clear_stale(self) -> None:
        for path in (self.socket, self._control, self._pid_file):
            path.unlink(missing_ok=True)

    def _wait_until_answering(self, child: subprocess.Popen[bytes], timeout_s: float) -> None:
        """Try the socket until it answers; waiting for the child's end is what paces the tries."""
        deadline = time.monotonic() + timeout_s
        while not is_answering(self.socket):
            with suppress(subprocess.TimeoutExpired):
                child.wait(PACE_S)
                complaint = self._complaint()
                self.stop()
                raise ServerError(
                    f"ovsdb-server ended at once: {complaint}", f"see {self.log_file}"
                )
            if time.monotonic() >= deadline:
                self.stop()
                raise ServerError(
                    f"ovsdb-server did not answer within {timeout_s} s", f"see {self.log_file}"
                )

    def _complaint(self) -> str:
        if self._stderr is None:
            return ""
        self._stderr.seek(0)
        return self._stderr.read().decode("utf-8", "replace").strip()


def is_answering(path: Path, timeout_s: float = 2.0) -> bool:
    """Whether an OVSDB server on this unix socket answers an echo (RFC 7047 section 4.1.11)."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as client:
        client.settimeout(timeout_s)
        try:
            client.connect(str(path))
            client.sendall(b'{"method":"echo","params":[],"id":"alive"}')
            return b'"alive"' in client.recv(4096)
        except (FileNotFoundError, ConnectionError, TimeoutError):
            return False
