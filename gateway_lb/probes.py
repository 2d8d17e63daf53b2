"""The checks themselves: TCP connect, HTTP GET, gRPC health.

Each is made from the service's VIP to the container's own address, on a connection of its own. The
sockets belong to the network namespace of the thread that runs the loop.

Must not know: verdicts, rows, intervals.
"""

from __future__ import annotations

import asyncio
import os
import socket
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager, suppress
from typing import Final, TypeAlias
from urllib.parse import quote

import h2.config
import h2.connection
import h2.errors
import h2.events
import h2.exceptions
import h11

from gateway_lb.health import Target

_CHUNK: Final = 16_384
_IP_BIND_ADDRESS_NO_PORT: Final = 24  # linux/in.h; the port is then chosen for each destination
_PATH_SAFE: Final = "/?&=;:@!$'()*+,%~[]"
_SETTINGS: Final = b"\x04"  # the type of a server's first frame, RFC 9113 section 3.4
_CLOSED: Final = "closed without an answer"
_NOT_HTTP2: Final = "the answer is not HTTP/2"
_SERVING: Final = 1  # grpc.health.v1.HealthCheckResponse.ServingStatus
_STATUS_NAMES: Final = {0: "UNKNOWN", 2: "NOT_SERVING", 3: "SERVICE_UNKNOWN"}
_GRPC_CODES: Final = {"5": "it does not know the service", "12": "it has no health service"}

_Streams: TypeAlias = tuple[asyncio.StreamReader, asyncio.StreamWriter]


class NotAsked(Exception):
    """This host could not make the check; nothing is said of the container."""


async def failure(target: Target) -> str | None:
    """Make one check. None: it succeeded; else why not, in words that do not vary by themselves.

    Takes `timeout_ms` at most. Raises NotAsked.
    """
    try:
        async with asyncio.timeout(target.check.timeout_ms / 1000):
            return await _KINDS[target.check.kind](target)
    except TimeoutError:
        return f"no answer within {target.check.timeout_ms} ms"
    except OSError as error:
        return os.strerror(error.errno).lower() if error.errno else str(error)


async def _tcp(target: Target) -> str | None:
    (await _connected(target)).close()
    return None


async def _http(target: Target) -> str | None:
    async with _opened(target) as (reader, writer):
        try:
            return await _http_answer(target, reader, writer)
        except h11.ProtocolError:
            return "the answer is not HTTP/1.1"


async def _http_answer(
    target: Target, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
) -> str | None:
    connection = h11.Connection(h11.CLIENT)
    path = quote(target.check.path, safe=_PATH_SAFE)
    headers = [("Host", _host(target)), ("User-Agent", "prewire"), ("Connection", "close")]
    request = h11.Request(method="GET", target=path, headers=headers)
    writer.write((connection.send(request) or b"") + (connection.send(h11.EndOfMessage()) or b""))
    data = await reader.read(_CHUNK)
    if not data:
        return _CLOSED
    while True:
        connection.receive_data(data)
        while (event := connection.next_event()) is not h11.NEED_DATA:
            if isinstance(event, h11.Response):
                good = target.check.status_from <= event.status_code <= target.check.status_to
                return None if good else f"status {event.status_code}"
        data = await reader.read(_CHUNK)


async def _grpc(target: Target) -> str | None:
    async with _opened(target) as (reader, writer):
        try:
            return await _grpc_answer(target, reader, writer)
        except h2.exceptions.ProtocolError:
            return _NOT_HTTP2


async def _grpc_answer(
    target: Target, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
) -> str | None:
    connection = h2.connection.H2Connection(h2.config.H2Configuration(header_encoding=None))
    connection.initiate_connection()
    stream = connection.get_next_available_stream_id()
    connection.send_headers(stream, _grpc_headers(target))
    connection.send_data(stream, _grpc_request(target.check.grpc_service), end_stream=True)
    body, headers, first = b"", dict[str, str](), b""
    while True:
        writer.write(connection.data_to_send())
        data = await reader.read(_CHUNK)
        first = (first + data)[:4]
        if first[3:] not in (b"", _SETTINGS):
            return _NOT_HTTP2
        if not data:
            return _CLOSED
        for event in connection.receive_data(data):
            match event:
                case h2.events.ResponseReceived() | h2.events.TrailersReceived():
                    headers |= {_text(name): _text(value) for name, value in event.headers or ()}
                case h2.events.DataReceived():
                    body += event.data or b""
                case h2.events.StreamEnded():
                    return _grpc_failure(headers, body)
                case h2.events.StreamReset() | h2.events.ConnectionTerminated():
                    return _CLOSED
                case _:
                    pass


def _text(value: bytes | str) -> str:
    return value if isinstance(value, str) else value.decode("latin-1")


def _grpc_headers(target: Target) -> list[tuple[str, str]]:
    return [
        (":method", "POST"),
        (":scheme", "http"),
        (":path", "/grpc.health.v1.Health/Check"),
        (":authority", _host(target)),
        ("content-type", "application/grpc"),
        ("te", "trailers"),
        ("user-agent", "prewire"),
    ]


def _grpc_request(service: str) -> bytes:
    """HealthCheckRequest{service=1} as one uncompressed gRPC message."""
    name = service.encode()
    message = b"\x0a" + _varint(len(name)) + name if name else b""
    return b"\0" + len(message).to_bytes(4, "big") + message


def _varint(value: int) -> bytes:
    """A protobuf varint."""
    text = b""
    while value > 0x7F:
        text += bytes((value & 0x7F | 0x80,))
        value >>= 7
    return text + bytes((value,))


def _grpc_failure(headers: Mapping[str, str], body: bytes) -> str | None:
    if headers.get(":status") != "200":
        return f"status {headers.get(':status')}"
    code = headers.get("grpc-status", "")
    if code != "0":
        return _GRPC_CODES.get(code, f"gRPC status {code or 'missing'}")
    status = _serving_status(body)
    if status == _SERVING:
        return None
    return f"its health is {_STATUS_NAMES.get(status, str(status))}"


def _serving_status(body: bytes) -> int:
    """HealthCheckResponse{status=1}; 0 where the message does not say. Values fit one byte."""
    message = body[5:]
    return message[1] if len(message) == 2 and message[0] == 0x08 else 0


def _host(target: Target) -> str:
    address = f"[{target.vip}]" if ":" in target.vip else target.vip
    return f"{address}:{target.port}"


@asynccontextmanager
async def _opened(target: Target) -> AsyncIterator[_Streams]:
    connected = await _connected(target)
    try:
        reader, writer = await asyncio.open_connection(sock=connected)
    except BaseException:
        connected.close()
        raise
    try:
        yield reader, writer
    finally:
        writer.transport.abort()  # close() would first wait until all is sent


async def _connected(target: Target) -> socket.socket:
    """A connection from the VIP; OSError where the container takes none. Raises NotAsked."""
    family = socket.AF_INET6 if ":" in target.vip else socket.AF_INET
    try:
        made = socket.socket(family, socket.SOCK_STREAM | socket.SOCK_NONBLOCK)
    except OSError as error:
        raise NotAsked(f"no socket: {error}") from error
    try:
        _bind(made, target.vip)
        await asyncio.get_running_loop().sock_connect(made, (target.address, target.port))
    except BaseException:
        made.close()
        raise
    return made


def _bind(made: socket.socket, vip: str) -> None:
    try:
        with suppress(OSError):  # an older kernel: ports are then shared by all destinations
            made.setsockopt(socket.IPPROTO_IP, _IP_BIND_ADDRESS_NO_PORT, 1)
        made.bind((vip, 0))
    except OSError as error:
        raise NotAsked(f"{vip} is not an address here: {error}") from error


_KINDS: Final[Mapping[str, Callable[[Target], Awaitable[str | None]]]] = {
    "tcp": _tcp,
    "http": _http,
    "grpc": _grpc,
}
