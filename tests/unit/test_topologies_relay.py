"""A relay from a unix socket to a TCP port."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.places import free_ports, short_directory
from topologies.relay import relayed


@pytest.fixture
def path() -> Iterator[Path]:
    with short_directory() as directory:
        yield directory / "relay.sock"


@pytest.fixture
def server() -> Iterator[socket.socket]:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.settimeout(10)
        yield listener


def connected(path: Path) -> socket.socket:
    client = socket.socket(socket.AF_UNIX)
    client.settimeout(10)
    client.connect(str(path))
    return client


def test_bytes_pass_both_ways_on_each_connection(path: Path, server: socket.socket) -> None:
    with relayed(path, "127.0.0.1", server.getsockname()[1]):
        for text in (b"one", b"two"):
            with connected(path) as client, server.accept()[0] as far:
                client.sendall(text)
                assert far.recv(10) == text
                far.sendall(text * 2)
                assert client.recv(10) == text * 2


@pytest.mark.parametrize("who", ["client", "server"])
def test_when_one_end_closes_so_does_the_other(path: Path, server: socket.socket, who: str) -> None:
    with (
        relayed(path, "127.0.0.1", server.getsockname()[1]),
        connected(path) as client,
        server.accept()[0] as far,
    ):
        ends = {"client": client, "server": far}
        other = ends.pop("server" if who == "client" else "client")
        ends[who].shutdown(socket.SHUT_RDWR)
        assert other.recv(10) == b""


def test_a_port_that_refuses_closes_the_connection(path: Path) -> None:
    (port,) = free_ports("nobody").values()
    with relayed(path, "127.0.0.1", port), connected(path) as client:
        assert client.recv(10) == b""


def test_the_end_closes_what_is_open(path: Path, server: socket.socket) -> None:
    with relayed(path, "127.0.0.1", server.getsockname()[1]):
        client = connected(path)
        far = server.accept()[0]
    with client, far:
        assert client.recv(10) == b""
        assert far.recv(10) == b""
    assert not path.exists()
