"""The proxies that `gateway` compares with serve every container, as they are configured there."""

from __future__ import annotations

import socket
import subprocess
import threading
import urllib.request
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from benchmarks.errors import BenchmarkFailed
from benchmarks.peers import haproxy, nginx_stream
from benchmarks.peers.proxy import needed
from tests.needs import need
from tests.waiting import until
from topologies.spec import NetworkSpec, single_switch


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return int(listener.getsockname()[1])


@contextmanager
def answering(address: str, port: int) -> Iterator[None]:
    """A web server there answers with its own address."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            body = address.encode()
            self.send_response(200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            """Nothing."""

    with ThreadingHTTPServer((address, port), Handler) as server:
        server.daemon_threads = True
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        try:
            yield
        finally:
            server.shutdown()
            thread.join()


@pytest.fixture(scope="module")
def spec() -> Iterator[NetworkSpec]:
    """Addresses of this machine, with a web server for each container."""
    spec = single_switch(3, network="127.0.0.0/24", http_port=free_port())
    with ExitStack() as stack:
        for host in spec.containers:
            assert host.http_port is not None
            stack.enter_context(answering(host.address, host.http_port))
        yield spec


@contextmanager
def running(argv: Sequence[str]) -> Iterator[None]:
    with subprocess.Popen(argv, stderr=subprocess.DEVNULL) as process:
        try:
            yield
        finally:
            process.terminate()


def answers(spec: NetworkSpec, port: int) -> set[str]:
    """Who answered twelve requests through the proxy, each on a connection of its own."""

    def get() -> str:
        try:
            with urllib.request.urlopen(f"http://{spec.gateway.address}:{port}/", timeout=5) as got:
                return str(got.read().decode())
        except OSError:
            return ""

    until(get, bool, "the proxy answers", 20)
    return {get() for _ in range(12)}


@pytest.mark.parametrize("mode", ["tcp", "http"])
def test_haproxy_serves_every_container(
    spec: NetworkSpec, tmp_path: Path, mode: haproxy.Mode
) -> None:
    try:
        program = needed("haproxy", "haproxy")
    except BenchmarkFailed as error:
        need(False, str(error))
    port = free_port()
    file = tmp_path / "haproxy.cfg"
    file.write_text(haproxy.configuration(spec, mode, port))
    with running([program, "-db", "-f", str(file)]):
        assert answers(spec, port) == {host.address for host in spec.containers}


def test_nginx_stream_serves_every_container(spec: NetworkSpec, tmp_path: Path) -> None:
    need(nginx_stream.MODULE.exists(), "libnginx-mod-stream is not installed")
    program = needed("nginx", "nginx-light")
    port = free_port()
    (tmp_path / "nginx.conf").write_text(nginx_stream.configuration(spec, tmp_path, port))
    argv = [program, "-p", str(tmp_path), "-c", "nginx.conf", "-e", str(tmp_path / "error.log")]
    with running(argv):
        assert answers(spec, port) == {host.address for host in spec.containers}


def test_a_proxy_that_is_not_installed_is_named_with_its_package() -> None:
    with pytest.raises(BenchmarkFailed, match="apt-get install some-package"):
        needed("no-such-program", "some-package")
