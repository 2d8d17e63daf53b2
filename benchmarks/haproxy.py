"""HAProxy in front of the network's containers: TCP mode, one thread, in the gateway host."""

from __future__ import annotations

import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from benchmarks.errors import BenchmarkFailed
from benchmarks.site import until
from topologies.mininet_net import RunningNetwork
from topologies.processes import run
from topologies.spec import NetworkSpec


@contextmanager
def running_haproxy(net: RunningNetwork) -> Iterator[str]:
    """HAProxy listens inside the body; yields its URL. BenchmarkFailed where it does not start."""
    if shutil.which("haproxy") is None:
        raise BenchmarkFailed("haproxy is not installed: apt-get install haproxy")
    with tempfile.TemporaryDirectory(prefix="prewire-haproxy-") as directory:
        file = Path(directory) / "haproxy.cfg"
        file.write_text(configuration(net.spec))
        with net.popen(
            "gateway", ["haproxy", "-db", "-f", str(file)], stderr=subprocess.PIPE
        ) as process:
            try:
                until(lambda: _listens(net, process), "HAProxy listens", 10)
                yield f"http://{net.spec.gateway.address}/"
            finally:
                process.kill()


def version() -> str:
    """As Debian numbers it."""
    return run(["haproxy", "-v"]).split()[2]


def configuration(spec: NetworkSpec) -> str:
    """The text of haproxy.cfg."""
    servers = "\n".join(
        f"    server {host.name} {host.address}:{host.http_port}" for host in spec.containers
    )
    return f"""\
global
    nbthread 1
    maxconn 8192
defaults
    mode tcp
    timeout connect 5s
    timeout client 60s
    timeout server 60s
frontend web
    bind {spec.gateway.address}:80 backlog 4096
    default_backend containers
backend containers
    balance roundrobin
{servers}
"""


def _listens(net: RunningNetwork, process: subprocess.Popen[bytes]) -> bool:
    if process.poll() is not None:
        complaint = process.stderr.read().decode().strip() if process.stderr else ""
        raise BenchmarkFailed(f"HAProxy does not start: {complaint}")
    return ":80 " in net.run("gateway", ["ss", "-Hltn"]).stdout
