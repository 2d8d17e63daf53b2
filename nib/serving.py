"""One `ovsdb-server` process: its command line, its files, its beginning and its end.

Owns: the child process, and telling whether a server answers on a socket.
Must not know: whether the database stands alone or is a member of a cluster, or who connects.

The child is not tied to this process unless a wrapper does it (setpriv --pdeathsig). After a
kill -9 of this process it lives on, loses nothing, and the next `start` says which process to end.
"""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Final

from nib.dbfile import find_tool, refuse_if_locked
from nib.errors import ServerError

MAX_SOCKET_PATH: Final = 107  # sun_path of unix(7), less its final NUL
PACE_S: Final = 0.02


@dataclass(frozen=True)
class ServerFiles:
    """What one server keeps in one directory."""

    directory: Path

    @property
    def database(self) -> Path:
        """The database."""
        return self.directory / "nib.db"

    @property
    def socket(self) -> Path:
        """Where clients of this machine connect."""
        return self.directory / "nib.sock"

    @property
    def control(self) -> Path:
        """Where `ovs-appctl` connects."""
        return self.directory / "nib.ctl"

    @property
    def pid(self) -> Path:
        """The process id while it runs."""
        return self.directory / "nib.pid"

    @property
    def log(self) -> Path:
        """What a server that is our child logs."""
        return self.directory / "nib.log"

    def clear_stale(self) -> None:
        """Remove what a server that died left behind."""
        for path in (self.socket, self.control, self.pid):
            path.unlink(missing_ok=True)


def server_command(
    files: ServerFiles, listen: Sequence[str] = (), options: Sequence[str] = ()
) -> list[str]:
    """ovsdb-server on this database, for the foreground.

    listen: passive remotes beside the unix socket, as `ptcp:6641:10.0.0.1`, ovsdb(7). options: more
    of ovsdb-server(1), such as those of TLS. Raises NibError where it is not installed.
    """
    return [
        find_tool("ovsdb-server"),
        str(files.database),
        f"--remote=punix:{files.socket}",
        *(f"--remote={remote}" for remote in listen),
        f"--pidfile={files.pid}",
        f"--unixctl={files.control}",
        *options,
    ]


def refuse_second(files: ServerFiles) -> None:
    """Raise ServerError when a living server has the directory; clear a dead one's traces."""
    if is_answering(files.socket):
        raise ServerError(
            f"another ovsdb-server{_pid_text(files)} answers on {files.socket}",
            "use it, or end it before starting a new one",
        )
    try:
        refuse_if_locked(files.database)
    except ServerError as error:
        raise ServerError(error.message + _pid_text(files), "end it first") from None
    files.clear_stale()


def check_socket_path(path: Path, remedy: str) -> None:
    """Raise ServerError when a unix socket's path is too long for the system."""
    length = len(os.fsencode(path))
    if length > MAX_SOCKET_PATH:
        raise ServerError(
            f"the socket {path} would have a path of {length} bytes, "
            f"the system allows {MAX_SOCKET_PATH}",
            remedy,
        )


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


class ServerProcess:
    """ovsdb-server as our child, on a database that is there.

    wrapper: a command that starts it in its own place, such as setpriv or nice.
    Raises ServerError when the socket's path would be too long for the system.
    """

    def __init__(
        self,
        files: ServerFiles,
        wrapper: Sequence[str] = (),
        listen: Sequence[str] = (),
        options: Sequence[str] = (),
    ) -> None:
        self.files = files
        self._wrapper = tuple(wrapper)
        self._listen = tuple(listen)
        self._options = tuple(options)
        self.paused = False
        self._child: subprocess.Popen[bytes] | None = None
        self._stderr: IO[bytes] | None = None
        remedy = f"choose a state_dir with a shorter path than {files.directory}"
        check_socket_path(files.socket, remedy)

    @property
    def remote(self) -> str:
        """Where clients of this machine connect."""
        return f"unix:{self.files.socket}"

    @property
    def pid(self) -> int | None:
        """The child's process id while it runs."""
        return None if self._child is None else self._child.pid

    @property
    def process(self) -> subprocess.Popen[bytes] | None:
        """The child while it runs."""
        return self._child

    def start(self, timeout_s: float = 60.0) -> None:
        """Start it and wait until it answers.

        Raises ServerError when another server has the directory or the child fails, NibError when
        ovsdb-server is not installed.
        """
        refuse_second(self.files)
        logging = [f"--log-file={self.files.log}", "-vconsole:off", "-vsyslog:off"]
        command = server_command(self.files, self._listen, [*logging, *self._options])
        self._stderr = tempfile.TemporaryFile()  # noqa: SIM115 - as long as the child
        self._child = subprocess.Popen(
            [*self._wrapper, *command],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=self._stderr,
            start_new_session=True,  # a Ctrl-C at the terminal is for us; we end the child in order
        )
        self._wait_until_answering(self._child, timeout_s)

    def stop(self, timeout_s: float = 5.0) -> None:
        """End the child: SIGTERM, and SIGKILL when it has not ended within `timeout_s`."""
        self._end(signal.SIGTERM, timeout_s)

    def kill(self) -> None:
        """End the child as a crash would."""
        self._end(signal.SIGKILL, 5.0)

    def pause(self) -> None:
        """Stop the child where it is, as a machine that hangs would."""
        self._signal(signal.SIGSTOP)
        self.paused = self._child is not None

    def resume(self) -> None:
        """Let a paused child go on."""
        self._signal(signal.SIGCONT)
        self.paused = False

    def _signal(self, number: signal.Signals) -> None:
        if self._child is not None:
            self._child.send_signal(number)

    def _end(self, number: signal.Signals, timeout_s: float) -> None:
        child, self._child, self.paused = self._child, None, False
        if child is None:
            return
        child.send_signal(number)
        child.send_signal(signal.SIGCONT)  # a paused one would not hear of it
        try:
            child.wait(timeout_s)
        except subprocess.TimeoutExpired:
            child.kill()
            child.wait()
        if self._stderr is not None:
            self._stderr.close()
            self._stderr = None
        self.files.clear_stale()

    def _wait_until_answering(self, child: subprocess.Popen[bytes], timeout_s: float) -> None:
        """Try the socket until it answers; waiting for the child's end is what paces the tries."""
        deadline = time.monotonic() + timeout_s
        while not is_answering(self.files.socket):
            with suppress(subprocess.TimeoutExpired):
                child.wait(PACE_S)
                complaint = self._complaint()
                self.stop()
                raise ServerError(
                    f"ovsdb-server ended at once: {complaint}", f"see {self.files.log}"
                )
            if time.monotonic() >= deadline:
                self.stop()
                raise ServerError(
                    f"ovsdb-server did not answer within {timeout_s} s", f"see {self.files.log}"
                )

    def _complaint(self) -> str:
        if self._stderr is None:
            return ""
        self._stderr.seek(0)
        return self._stderr.read().decode("utf-8", "replace").strip()


def _pid_text(files: ServerFiles) -> str:
    with suppress(OSError):  # no file: the text does without
        return f" (process {files.pid.read_text('ascii').strip()})"
    return ""
