"""HAProxy in front of the network's containers, in the gateway host: one process of one thread.

Tuned as for this load by its own documentation: no logs, no packets for the handshake alone, and in
HTTP mode any idle connection to a container serves the next request, whosever it was.
"""

from __future__ import annotations

import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final, Literal

from benchmarks.peers.proxy import await_listening, needed
from topologies.hosts import Hosts
from topologies.spec import NetworkSpec

Mode = Literal["tcp", "http"]
PORTS: Final[dict[Mode, int]] = {"tcp": 80, "http": 81}
_OPTIONS: Final[dict[Mode, tuple[str, ...]]] = {
    "tcp": ("option tcp-smart-accept", "option tcp-smart-connect"),
    "http": (
        "option tcp-smart-accept",
        "option tcp-smart-connect",
        "option http-keep-alive",
        "http-reuse always",
        "timeout http-keep-alive 60s",
    ),
}


@contextmanager
def running_haproxy(net: Hosts, mode: Mode) -> Iterator[str]:
    """HAProxy listens inside the body; yields its URL. BenchmarkFailed where it does not start."""
    program = needed("haproxy", "haproxy")
    with tempfile.TemporaryDirectory(prefix="prewire-haproxy-") as directory:
        file = Path(directory) / "haproxy.cfg"
        file.write_text(configuration(net.spec, mode, PORTS[mode]))
        with net.popen(
            "gateway", [program, "-db", "-f", str(file)], stderr=subprocess.PIPE
        ) as process:
            try:
                await_listening(net, process, PORTS[mode], "HAProxy")
                yield f"http://{net.spec.gateway.address}:{PORTS[mode]}/"
            finally:
                process.kill()


def configuration(spec: NetworkSpec, mode: Mode, port: int) -> str:
    """The text of haproxy.cfg. port: where the gateway listens."""
    servers = "\n".join(
        f"    server {host.name} {host.address}:{host.http_port}" for host in spec.containers
    )
    options = "\n".join(f"    {option}" for option in _OPTIONS[mode])
    return f"""\
global
    nbthread 1
    maxconn 8192
defaults
    mode {mode}
    timeout connect 5s
    timeout client 60s
    timeout server 60s
{options}
frontend web
    bind {spec.gateway.address}:{port} backlog 4096
    default_backend containers
backend containers
    balance roundrobin
{servers}
"""
