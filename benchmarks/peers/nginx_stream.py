"""nginx as a TCP proxy (module stream) before the network's containers: one worker, in the gateway.

Debian has the module in a package of its own, loaded by its path.
"""

from __future__ import annotations

import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from benchmarks.errors import BenchmarkFailed
from benchmarks.peers.proxy import await_listening, needed
from topologies.hosts import Hosts
from topologies.spec import NetworkSpec

PORT: Final = 82
MODULE: Final = Path("/usr/lib/nginx/modules/ngx_stream_module.so")


@contextmanager
def running_nginx_stream(net: Hosts) -> Iterator[str]:
    """nginx listens inside the body; yields its URL. BenchmarkFailed where it does not start."""
    program = needed("nginx", "nginx-light")
    if not MODULE.exists():
        raise BenchmarkFailed(
            "nginx's module stream is not installed: apt-get install libnginx-mod-stream"
        )
    with tempfile.TemporaryDirectory(prefix="prewire-nginx-") as name:
        directory = Path(name)
        (directory / "nginx.conf").write_text(configuration(net.spec, directory, PORT))
        argv = [program, "-p", name, "-c", "nginx.conf", "-e", str(directory / "error.log")]
        with net.popen("gateway", argv, stderr=subprocess.PIPE) as process:
            try:
                await_listening(net, process, PORT, "nginx")
                yield f"http://{net.spec.gateway.address}:{PORT}/"
            finally:
                process.terminate()  # the master ends its worker


def configuration(spec: NetworkSpec, directory: Path, port: int) -> str:
    """The text of nginx.conf. port: where the gateway listens."""
    servers = "\n".join(
        f"        server {host.address}:{host.http_port} max_fails=0;" for host in spec.containers
    )
    return f"""\
load_module {MODULE};
daemon off;
user root;
worker_processes 1;
worker_rlimit_nofile 32768;
pid {directory}/nginx.pid;
error_log {directory}/error.log crit;
events {{ worker_connections 16384; }}
stream {{
    upstream containers {{
{servers}
    }}
    server {{
        listen {spec.gateway.address}:{port} backlog=4096;
        tcp_nodelay on;
        proxy_connect_timeout 5s;
        proxy_timeout 60s;
        proxy_pass containers;
    }}
}}
"""
