"""Clients that are slow, silent or do not read, on a real server with short patience."""

from __future__ import annotations

import logging
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Final

import pytest
import uvicorn
from starlette.types import Receive, Scope, Send

from prewire.api.access.protocol import MAX_HEAD, GuardedProtocol
from tests.waiting import until

PATIENCE_S: Final = 0.3
LARGE: Final = 64 * 2**20


class Impatient(GuardedProtocol):
    """The same, sooner."""

    arrival_s = PATIENCE_S
    stall_s = PATIENCE_S


async def application(scope: Scope, receive: Receive, send: Send) -> None:
    """Answers with the body it was sent; /large with very much."""
    body, more = b"", True
    while more:
        message = await receive()
        body, more = body + message.get("body", b""), message.get("more_body", False)
    if scope["path"] == "/large":
        body = b"x" * LARGE
    await send({"type": "http.response.start", "status": 200,
                "headers": [(b"content-length", str(len(body)).encode())]})  # fmt: skip
    for start in range(0, max(1, len(body)), 2**20):
        part = body[start : start + 2**20]
        is_last = start + 2**20 >= len(body)
        await send({"type": "http.response.body", "body": part, "more_body": not is_last})


@pytest.fixture(scope="module")
def port() -> Iterator[int]:
    with serving(Impatient) as number:
        yield number


@contextmanager
def serving(protocol: type[GuardedProtocol]) -> Iterator[int]:
    """The port that the application is served on inside the body."""
    listening = socket.create_server(("127.0.0.1", 0))
    server = uvicorn.Server(
        uvicorn.Config(application, http=protocol, ws="none", lifespan="off", log_config=None)
    )
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]})
    thread.start()
    try:
        until(lambda: server.started, bool, "it serves")
        yield int(listening.getsockname()[1])
    finally:
        server.should_exit = True
        thread.join()
        listening.close()


def connected(port: int, sent: bytes = b"") -> socket.socket:
    made = socket.create_connection(("127.0.0.1", port), timeout=10)
    made.sendall(sent)
    return made


def ended_after_s(made: socket.socket) -> float:
    """Seconds until the server has closed the connection, with nothing said before."""
    began = time.monotonic()
    with suppress(ConnectionResetError):
        assert made.recv(100) == b""
    return time.monotonic() - began


@pytest.mark.parametrize(
    "sent",
    [
        b"",
        b"GET / HT",
        b"GET / HTTP/1.1\r\nHost: x\r\n",
        b"PUT / HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\n12345",
        b"PUT / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n5\r\n12345\r\n",
    ],
)
def test_a_request_that_does_not_come_whole_is_given_up(port: int, sent: bytes) -> None:
    with connected(port, sent) as slow:
        assert ended_after_s(slow) < 20 * PATIENCE_S


def test_a_trickle_of_bytes_buys_no_time(port: int) -> None:
    with connected(port, b"GET / HTTP/1.1\r\n") as slow:
        began = time.monotonic()
        with suppress(ConnectionResetError, BrokenPipeError):
            while time.monotonic() - began < 10:
                slow.sendall(b"X")
                threading.Event().wait(PATIENCE_S / 10)
        assert time.monotonic() - began < 10


@pytest.mark.parametrize("endless", [b"X-1: y\r\n", b"y"])
def test_trailers_are_as_long_as_a_head_at_most(
    endless: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    chunked = b"PUT / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n"
    short = chunked + b"X-1: y\r\n" * 100 + b"\r\n"
    with serving(GuardedProtocol) as port, caplog.at_level(logging.INFO):
        with connected(port, short + short) as good:
            assert good.recv(1000).endswith(b"ok")
        with connected(port, chunked + b"X: ") as slow, suppress(ConnectionError):
            for _ in range(LARGE // MAX_HEAD):
                slow.sendall(endless * (MAX_HEAD // len(endless)))
        until(lambda: caplog.text, lambda said: f"more than {MAX_HEAD} bytes" in said, "it ends")


def test_a_long_body_is_no_head(port: int) -> None:
    body = b"x" * (8 * MAX_HEAD)
    for framed in (
        b"Content-Length: %d\r\n\r\n%s" % (len(body), body),
        b"Transfer-Encoding: chunked\r\n\r\n%x\r\n%s\r\n0\r\n\r\n" % (len(body), body),
    ):
        with connected(port, b"PUT / HTTP/1.1\r\nHost: x\r\n" + framed) as good:
            assert good.recv(15) == b"HTTP/1.1 200 OK"


def test_a_client_that_reads_nothing_is_given_up(port: int) -> None:
    with connected(port, b"GET /large HTTP/1.1\r\nHost: x\r\n\r\n") as deaf:
        threading.Event().wait(4 * PATIENCE_S)
        got = 0
        with suppress(ConnectionResetError):
            while part := deaf.recv(2**20):
                got += len(part)
        assert got < LARGE


def test_a_client_in_time_is_served_and_may_rest_between_requests(port: int) -> None:
    request = b"PUT / HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\nok"
    with connected(port, request) as good:
        assert good.recv(1000).endswith(b"ok")
        threading.Event().wait(2 * PATIENCE_S)
        good.sendall(request)
        assert good.recv(1000).endswith(b"ok")
