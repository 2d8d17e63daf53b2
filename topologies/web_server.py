"""The web server of one resident container: nginx from a private configuration.

Every GET is answered with JSON naming the container; `/1m` is one mebibyte. Connections stay open
long, so that a test sees which of them survive a change.

It knows nothing of network namespaces: whoever starts the server gives it a command prefix.
"""

import os
import shutil
import signal
import subprocess
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from topologies.errors import NetworkError
from topologies.spec import HostSpec

Popen = subprocess.Popen[bytes]
Start = Callable[[Sequence[str]], Popen]
"""Starts a command line in the container and hands back the running process."""

_MEBIBYTE = 1 << 20
_START_TIMEOUT_S = 10.0
_STOP_TIMEOUT_S = 10.0


class WebServer:
    """nginx for one container, in its own directory, as a master and one worker process."""

    def __init__(self, host: HostSpec, directory: Path, start: Start) -> None:
        self._directory = directory
        self._start = start
        self._process: Popen | None = None
        self._name = host.name
        directory.mkdir(parents=True, exist_ok=True)
        (directory / "nginx.conf").write_text(configuration(host, directory))
        with (directory / "1m").open("wb") as large:
            large.truncate(_MEBIBYTE)

    def is_running(self) -> bool:
        return self._process is not None and self._process.poll() is None

    def start(self) -> None:
        """Start serving; returns when the port listens.

        Raises NetworkError when nginx is not installed, already runs here or does not start.
        """
        if self.is_running():
            raise NetworkError(f"the server of {self._name} runs already")
        nginx = shutil.which("nginx", path="/usr/sbin:/sbin:/usr/bin:/usr/local/sbin")
        if nginx is None:
            raise NetworkError("nginx is not installed: apt-get install nginx-light")
        pid_file = self._directory / "nginx.pid"
        pid_file.unlink(missing_ok=True)
        errors = self._directory / "error.log"
        errors.write_text("")
        configured = ["-p", str(self._directory), "-c", "nginx.conf", "-e", str(errors)]
        self._process = self._start([nginx, *configured])
        self._await_worker(self._process, pid_file)

    def stop(self, how: signal.Signals = signal.SIGTERM) -> None:
        """Stop serving; returns when the process is gone.

        SIGTERM closes every connection at once, SIGQUIT first serves them to their end, SIGKILL is
        a crash of master and worker. Raises NetworkError when it is not running or does not end.
        """
        process = self._process
        if process is None or process.poll() is not None:
            raise NetworkError(f"the server of {self._name} does not run")
        if how == signal.SIGKILL:
            _kill_group(process)
        else:
            process.send_signal(how)
        try:
            process.wait(_STOP_TIMEOUT_S)
        except subprocess.TimeoutExpired as error:
            raise NetworkError(f"the server of {self._name} does not end on {how.name}") from error

    def _await_worker(self, process: Popen, pid_file: Path) -> None:
        """Until master and worker heed signals: one that comes earlier can be lost."""
        deadline = time.monotonic() + _START_TIMEOUT_S
        while not _has_worker(pid_file):
            try:
                process.wait(0.005)
            except subprocess.TimeoutExpired:
                if time.monotonic() < deadline:
                    continue
            raise NetworkError(f"nginx of {self._name} does not start: {self._complaint()}")

    def _complaint(self) -> str:
        log = self._directory / "error.log"
        fatal = [line for line in log.read_text().splitlines() if "[emerg]" in line]
        return fatal[0].partition("[emerg] ")[2] if fatal else f"no reason in {log}"


def configuration(host: HostSpec, directory: Path) -> str:
    """The text of nginx.conf for this container."""
    temporary = "\n".join(
        f"    {kind}_temp_path {directory}/{kind};"
        for kind in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    )
    addresses = [host.address] if host.address6 is None else [host.address, f"[{host.address6}]"]
    listeners = "\n".join(
        f"        listen {address}:{host.http_port} backlog=4096;" for address in addresses
    )
    return f"""\
daemon off;
user root;
worker_processes 1;
worker_rlimit_nofile 8192;
pid {directory}/nginx.pid;
error_log {directory}/error.log warn;
events {{ worker_connections 4096; }}
http {{
    access_log off;
    sendfile on;
    tcp_nodelay on;
    keepalive_timeout 75s;
    keepalive_requests 100000;
    reset_timedout_connection on;
{temporary}
    server {{
{listeners}
        add_header X-Container {host.name} always;
        location / {{
            default_type application/json;
            return 200 '{{"container": "{host.name}", "connections": $connections_active}}\\n';
        }}
        location = /1m {{
            default_type application/octet-stream;
            root {directory};
        }}
    }}
}}
"""


def _has_worker(pid_file: Path) -> bool:
    """Whether the master of this file has a worker that calls itself so, as it does when ready."""
    try:
        master = pid_file.read_text().strip()
        children = Path(f"/proc/{master}/task/{master}/children").read_text().split()
        titles = [Path(f"/proc/{child}/cmdline").read_bytes() for child in children]
    except FileNotFoundError:
        return False
    return any(b"worker process" in title for title in titles)


def _kill_group(process: Popen) -> None:
    """Master and worker at once; the group's number stays ours while its leader is unreaped."""
    os.killpg(process.pid, signal.SIGKILL)
