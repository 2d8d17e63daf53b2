"""Checks, of servers on the loopback address that answer well, badly, or not at all."""

from __future__ import annotations

import asyncio
import socket
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import Any

import grpc
import pytest
from grpc_health.v1 import health, health_pb2, health_pb2_grpc
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway_lb import probes
from gateway_lb.health import Target
from nib.policy import HealthCheck

LOCAL = "127.0.0.1"
STATUS = health_pb2.HealthCheckResponse


def target(port: int, vip: str = LOCAL, **check: Any) -> Target:
    given = {"timeout_ms": 1000, **check}
    return Target("web", "c", 1, "1", vip, vip, port, "02:00:00:00:00:01", HealthCheck(**given))


def one_answer(answer: bytes | None, vip: str = LOCAL, **check: Any) -> Any:
    """The failure, where a server says `answer` and closes (None: it keeps silent); what it heard.

    The server is done when this returns.
    """
    return asyncio.run(_one_answer(answer, vip, check))


async def _one_answer(
    answer: bytes | None, vip: str, check: dict[str, Any]
) -> tuple[str | None, bytes]:
    heard: asyncio.Future[bytes] = asyncio.get_running_loop().create_future()

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        said = await reader.read(65536)
        with suppress(ConnectionError):
            if answer is None:
                await reader.read()
            else:
                writer.write(answer)
            writer.close()
            await writer.wait_closed()
        heard.set_result(said)

    async with await asyncio.start_server(handle, vip, 0) as server:
        port = server.sockets[0].getsockname()[1]
        return await probes.failure(target(port, vip, **check)), await heard


def http(answer: bytes, **check: Any) -> str | None:
    failure: str | None = one_answer(answer, kind="http", **check)[0]
    return failure


def closed_port() -> int:
    with socket.socket() as probe:
        probe.bind((LOCAL, 0))
        return int(probe.getsockname()[1])


@pytest.mark.parametrize("kind", ["tcp", "http", "grpc"])
def test_nobody_listens(kind: str) -> None:
    assert asyncio.run(probes.failure(target(closed_port(), kind=kind))) == "connection refused"


@pytest.mark.parametrize("kind", ["http", "grpc"])
def test_nobody_answers(kind: str) -> None:
    began = time.monotonic()
    assert one_answer(None, kind=kind, timeout_ms=100)[0] == "no answer within 100 ms"
    assert time.monotonic() - began < 2


@pytest.mark.parametrize("kind", ["http", "grpc"])
def test_it_closes_at_once(kind: str) -> None:
    assert one_answer(b"", kind=kind)[0] == "closed without an answer"


def test_tcp_is_content_with_a_connection() -> None:
    assert one_answer(b"", kind="tcp")[0] is None


def test_a_source_that_is_not_ours_is_not_the_container_s_fault() -> None:
    with pytest.raises(probes.NotAsked, match=r"192\.0\.2\.7"):
        asyncio.run(probes.failure(target(80, "192.0.2.7")))


@pytest.mark.parametrize(
    ("answer", "failure"),
    [
        (b"HTTP/1.1 200 OK\r\n\r\n", None),
        (b"HTTP/1.0 204 No Content\r\nServer: x\r\n\r\n", None),
        (b"HTTP/1.1 399 Odd\r\nContent-Length: 3\r\n\r\nabc", None),
        (b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\n\r\n", None),
        (b"HTTP/1.1 103 Early Hints\r\n\r\nHTTP/1.1 500 Oh\r\n\r\n", "status 500"),
        (b"HTTP/1.1 400 No\r\n\r\n", "status 400"),
        (b"SSH-2.0-OpenSSH_9.2\r\n", "the answer is not HTTP/1.1"),
        (b"\x16\x03\x01" * 40, "the answer is not HTTP/1.1"),
        (b"HTTP/1.1 200 OK\r\nX: " + b"y" * 200_000, "the answer is not HTTP/1.1"),
        (b"HTTP/1.1 200 O", "the answer is not HTTP/1.1"),
    ],
)
def test_http(answer: bytes, failure: str | None) -> None:
    assert http(answer) == failure


def test_http_asks_as_it_is_told() -> None:
    good = b"HTTP/1.1 418 I am\r\n\r\n"
    check: dict[str, Any] = {
        "kind": "http",
        "path": "/a b?ä=1%20",
        "status_from": 418,
        "status_to": 418,
    }
    failure, heard = one_answer(good, **check)
    assert failure is None
    lines = heard.split(b"\r\n")
    assert lines[0] == b"GET /a%20b?%C3%A4=1%20 HTTP/1.1"
    assert lines[1].startswith(b"Host: 127.0.0.1:")


def test_http_names_an_ipv6_host_in_brackets() -> None:
    failure, heard = one_answer(b"HTTP/1.1 200 OK\r\n\r\n", vip="::1", kind="http")
    assert failure is None
    assert b"\r\nHost: [::1]:" in heard


@pytest.mark.parametrize("answer", [b"HTTP/1.1 400 Bad Request\r\n\r\n", b"<!DOCTYPE html>", b"?"])
def test_grpc_of_a_server_that_speaks_something_else(answer: bytes) -> None:
    expected = "closed without an answer" if len(answer) < 4 else "the answer is not HTTP/2"
    assert one_answer(answer, kind="grpc")[0] == expected


PREFACE = b"\0\0\0\x04\0\0\0\0\0"  # an empty SETTINGS frame


@pytest.mark.parametrize(
    "fields",
    [
        b"\x88\x40\x0bgrpc-status\x01\xff",  # no text
        b"\x88\x40\x0bgrpc-status\x0290",  # a code that nobody gave out
        b"\x88",  # no code at all
        b"\xff\xff\xff\xff\xff\xff",  # no header block
    ],
)
def test_grpc_with_odd_headers(fields: bytes) -> None:
    frame = len(fields).to_bytes(3, "big") + b"\x01\x05" + (1).to_bytes(4, "big") + fields
    assert one_answer(PREFACE + frame, kind="grpc")[0] in (
        "gRPC status \xff",
        "gRPC status 90",
        "gRPC status missing",
        "the answer is not HTTP/2",
    )


@given(st.binary(max_size=80), st.sampled_from(["http", "grpc"]))
@settings(max_examples=60)
def test_any_answer_is_a_result(answer: bytes, kind: str) -> None:
    begin = {"http": b"HTTP/1.1 ", "grpc": PREFACE}[kind]
    for said in (answer, begin + answer):
        failure = one_answer(said, kind=kind, timeout_ms=300)[0]
        assert failure is None or failure


@pytest.fixture(scope="module")
def shop() -> Iterator[tuple[int, health.HealthServicer]]:
    """A real gRPC server with a health service, and its port."""
    servicer = health.HealthServicer()
    with ThreadPoolExecutor(2) as pool:
        server = grpc.server(pool)
        health_pb2_grpc.add_HealthServicer_to_server(servicer, server)
        port = server.add_insecure_port(f"{LOCAL}:0")
        server.start()
        yield port, servicer
        server.stop(None).wait()


@pytest.mark.parametrize(
    ("status", "failure"),
    [
        (STATUS.SERVING, None),
        (STATUS.NOT_SERVING, "its health is NOT_SERVING"),
        (STATUS.UNKNOWN, "its health is UNKNOWN"),
    ],
)
@pytest.mark.parametrize("name", ["", "shop", "s" * 200])
def test_grpc(
    shop: tuple[int, health.HealthServicer], name: str, status: Any, failure: str | None
) -> None:
    port, servicer = shop
    servicer.set(name, status)
    asked = target(port, kind="grpc", grpc_service=name)
    assert asyncio.run(probes.failure(asked)) == failure


def test_grpc_of_a_service_it_does_not_know(shop: tuple[int, health.HealthServicer]) -> None:
    asked = target(shop[0], kind="grpc", grpc_service="unheard.of")
    assert asyncio.run(probes.failure(asked)) == "it does not know the service"


def test_grpc_without_a_health_service() -> None:
    with ThreadPoolExecutor(2) as pool:
        server = grpc.server(pool)
        port = server.add_insecure_port(f"{LOCAL}:0")
        server.start()
        assert asyncio.run(probes.failure(target(port, kind="grpc"))) == "it has no health service"
        server.stop(None).wait()
