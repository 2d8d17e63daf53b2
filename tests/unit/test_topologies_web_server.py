"""The containers' web server, as far as it needs no namespace."""

import json
import shutil
import signal
import socket
import subprocess
import urllib.request
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from topologies.errors import NetworkError
from topologies.spec import HostSpec
from topologies.web_server import WebServer, configuration

HOST = HostSpec("c1", "10.0.0.11", 16, "02:70:77:00:00:0b", "container", 8080)


def spawn(argv: Sequence[str]) -> "subprocess.Popen[bytes]":
    return subprocess.Popen(argv, start_new_session=True, stderr=subprocess.DEVNULL)


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return int(listener.getsockname()[1])


@pytest.fixture
def local() -> HostSpec:
    return HostSpec("c1", "127.0.0.1", 8, HOST.mac, "container", free_port())


@pytest.fixture
def server(local: HostSpec, tmp_path: Path) -> Iterator[WebServer]:
    if shutil.which("nginx", path="/usr/sbin:/usr/bin") is None:
        pytest.skip("nginx is not installed (apt-get install nginx-light)")
    server = WebServer(local, tmp_path / "c1", spawn)
    yield server
    if server.is_running():
        server.stop(signal.SIGKILL)


def test_configuration_keeps_connections_open(tmp_path: Path) -> None:
    text = configuration(HOST, tmp_path)
    for line in (
        "listen 10.0.0.11:8080 backlog=4096;",
        "keepalive_requests 100000;",
        "keepalive_timeout 75s;",
        "worker_processes 1;",
        "access_log off;",
        "add_header X-Container c1 always;",
    ):
        assert line in text


def test_it_listens_on_both_families_where_the_host_has_both(tmp_path: Path) -> None:
    assert configuration(HOST, tmp_path).count("listen ") == 1
    both = configuration(replace(HOST, address6="fd70:77::b"), tmp_path)
    assert "listen 10.0.0.11:8080 backlog=4096;" in both
    assert "listen [fd70:77::b]:8080 backlog=4096;" in both


def test_it_answers_over_ipv6(local: HostSpec, tmp_path: Path) -> None:
    if shutil.which("nginx", path="/usr/sbin:/usr/bin") is None:
        pytest.skip("nginx is not installed (apt-get install nginx-light)")
    server = WebServer(replace(local, address6="::1", prefix_len6=8), tmp_path / "c1", spawn)
    server.start()
    try:
        with urllib.request.urlopen(f"http://[::1]:{local.http_port}/") as answer:
            assert answer.headers["X-Container"] == "c1"
    finally:
        server.stop()


def test_it_answers_with_its_name(server: WebServer, local: HostSpec) -> None:
    server.start()
    with urllib.request.urlopen(f"http://127.0.0.1:{local.http_port}/any/path") as answer:
        assert answer.headers["X-Container"] == "c1"
        assert json.load(answer) == {"container": "c1", "connections": 1}


def test_it_listens_again_after_every_kind_of_end(server: WebServer) -> None:
    for how in (signal.SIGTERM, signal.SIGQUIT, signal.SIGKILL):
        server.start()
        server.stop(how)
        assert not server.is_running()


def test_starting_twice_and_stopping_twice_are_refused(server: WebServer) -> None:
    server.start()
    with pytest.raises(NetworkError, match="runs already"):
        server.start()
    server.stop()
    with pytest.raises(NetworkError, match="does not run"):
        server.stop()


def test_a_taken_port_is_reported(server: WebServer, local: HostSpec) -> None:
    with (
        socket.create_server(("127.0.0.1", local.http_port or 0)),
        pytest.raises(NetworkError, match=r"nginx of c1 does not start: .*Address already in use"),
    ):
        server.start()
