"""One TLS connection with a thread that receives and one that sends, and how it ends."""

from __future__ import annotations

import random
import select
import socket
import ssl
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import pytest

from ryu_apps.tls_connection import TlsConnection
from tests.certified import Certified, certified

SIZE = 8 << 20


@pytest.fixture(scope="module")
def made() -> Iterator[Certified]:
    with certified() as here:
        yield here


@contextmanager
def ends(made: Certified) -> Iterator[tuple[TlsConnection, socket.socket]]:
    """Ours, and the plain socket of the other side; no handshake yet."""
    plain, other = socket.socketpair()
    with plain, other:
        plain.settimeout(20)
        other.settimeout(20)
        yield TlsConnection(plain, made.prewire.server_context()), other


@contextmanager
def connected(made: Certified) -> Iterator[tuple[TlsConnection, ssl.SSLSocket]]:
    """Both sides after the handshake."""
    with ends(made) as (ours, other), ThreadPoolExecutor(1) as pool:
        shaking = pool.submit(ours.shake_hands, 10)
        context = made.prewire.client_context()
        with context.wrap_socket(other, suppress_ragged_eofs=False) as client:
            shaking.result(60)
            yield ours, client


def test_both_directions_at_once(made: Certified) -> None:
    """Our two threads; the other side in one, which both reads and writes."""
    down, up = (random.Random(seed).randbytes(SIZE) for seed in (1, 2))
    with connected(made) as (ours, client), ThreadPoolExecutor(2) as pool:
        sending = pool.submit(in_pieces, ours, down)
        receiving = pool.submit(received, ours, len(up))
        assert exchanged(client, up, len(down)) == down
        sending.result(60)
        assert receiving.result(60) == up


def in_pieces(ours: TlsConnection, data: bytes) -> None:
    for start in range(0, len(data), 50_000):
        ours.sendall(data[start : start + 50_000])


def received(ours: TlsConnection, size: int) -> bytes:
    got = bytearray()
    while len(got) < size:
        piece = ours.recv(3000)
        assert piece, f"ended after {len(got)} bytes"
        got += piece
    return bytes(got)


def exchanged(client: ssl.SSLSocket, data: bytes, size: int) -> bytes:
    """Write `data` and read `size` bytes, whichever is possible."""
    client.setblocking(False)
    rest, got = memoryview(data), bytearray()
    while rest or len(got) < size:
        progress = False
        if rest:
            try:
                rest = rest[client.send(rest[:30_000]) :]
                progress = True
            except ssl.SSLWantWriteError:
                pass
        try:
            got += client.recv(30_000)
            progress = True
        except ssl.SSLWantReadError:
            pass
        if not progress:
            select.select([client], [client] if rest else [], [], 10)
    return bytes(got)


def test_a_pause_is_a_timeout_and_nothing_is_lost(made: Certified) -> None:
    with connected(made) as (ours, client):
        ours.settimeout(0.05)
        with pytest.raises(TimeoutError):
            ours.recv(8)
        client.sendall(b"12345678")
        ours.settimeout(10)
        assert ours.recv(5) == b"12345"
        assert ours.recv(5) == b"678"


def test_an_end_is_told_to_the_other_side(made: Certified) -> None:
    with connected(made) as (ours, client):
        ours.sendall(b"last")
        ours.shutdown(socket.SHUT_WR)
        assert client.recv(10) == b"last"
        assert client.recv(10) == b"", "an end, not a connection cut off"


def test_the_other_sides_end_is_seen(made: Certified) -> None:
    with connected(made) as (ours, client):
        client.shutdown(socket.SHUT_WR)
        assert ours.recv(10) == b""


def test_a_spoilt_record_ends_the_connection(made: Certified) -> None:
    """Not by SSLError, which the frameworks take for a pause."""
    with connected(made) as (ours, client):
        raw = socket.socket(fileno=client.detach())
        with raw:
            raw.sendall(b"\x17\x03\x03\x00\x20" + bytes(32))
            with pytest.raises(ConnectionAbortedError, match="TLS: "):
                ours.recv(10)


@pytest.mark.parametrize("said", [b"", b"\x16\x03\x01"])
def test_a_handshake_that_stalls_is_given_up(made: Certified, said: bytes) -> None:
    with ends(made) as (ours, other):
        other.sendall(said)
        with pytest.raises(TimeoutError):
            ours.shake_hands(0.1)


def test_a_handshake_that_drips_is_given_up(made: Certified) -> None:
    """Every byte comes in time, the whole does not."""
    ending = threading.Event()
    with ends(made) as (ours, other), ThreadPoolExecutor(1) as pool:

        def drip() -> None:
            for byte in b"\x16\x03\x01\x40\x00" + bytes(1000):
                if ending.wait(0.02):
                    return
                other.sendall(bytes([byte]))

        dripping = pool.submit(drip)
        with pytest.raises(TimeoutError):
            ours.shake_hands(0.3)
        ending.set()
        dripping.result(60)


def test_a_handshake_that_is_broken_off_is_an_error(made: Certified) -> None:
    with ends(made) as (ours, other):
        other.close()
        with pytest.raises(ConnectionResetError):
            ours.shake_hands(5)
