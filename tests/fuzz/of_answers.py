"""Targets: what servers answer, and calls. Prometheus, an OpenID issuer, containers that are
probed, OVSDB, Kubernetes, prewire's own API, and gRPC requests."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Callable, Iterator
from types import SimpleNamespace
from typing import Any, Final, cast

import h2.exceptions
import h11
import jwt
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from google.protobuf.message import DecodeError, Message

from gateway_lb.health import Target as Probed
from gateway_lb.probes import _grpc_answer, _http_answer
from nib.errors import FieldError, NibError
from nib.json_stream import StreamParser
from nib.policy import HealthCheck
from nib.transaction import refusal
from predictor.outward.drivers.kube import _driver_error
from predictor.outward.generated import externalscaler_pb2 as scaler_pb
from predictor.outward.generated import predictor_pb2 as pb
from predictor.outward.keda import service_of
from predictor.outward.services import _names
from predictor.outward.tokens import read_token
from predictor.series.queries import PrometheusError, RangeQueries, _problem
from prewire.api.access.jwks import Key, KeysAway, KeySet, _named
from prewire.api.access.known import KnownTokens
from prewire.api.access.oidc import Claims, OidcIssuer
from prewire.api.access.refusals import Refusal
from prewire.commands.client import _frames, _told
from prewire.errors import CommandFailed
from tests.fuzz.taker import Taker
from tests.fuzz.target import Target

_ISSUER: Final = "https://issuer.example"


# ------------------------------------------------------------------------------- Prometheus


def _prometheus(data: bytes) -> None:
    """An answer to a range query, or the problem that one tells."""
    body = Taker(data).json(_PROMETHEUS, _ANSWERS)
    _problem(400, body)
    RangeQueries("http://a")._window(body, 0, 240, 60.0, "service" if len(data) & 1 else None)


_PROMETHEUS: Final = ("data", "result", "metric", "values", "value", "__name__", "service", "error")
_ANSWERS: Final[tuple[Any, ...]] = (
    {
        "status": "success",
        "data": {"result": [{"metric": {"service": "a"}, "values": [[60, "1"]]}]},
    },
    {"status": "error", "error": "too many samples"},
)


# ------------------------------------------------------------------------------- OpenID

_EC: Final = ec.generate_private_key(ec.SECP256R1())
_RSA: Final = rsa.generate_private_key(65537, 2048)
_PUBLIC: Final = (
    json.loads(jwt.algorithms.ECAlgorithm.to_jwk(_EC.public_key())),
    json.loads(jwt.algorithms.RSAAlgorithm.to_jwk(_RSA.public_key())),
    {"kty": "OKP", "crv": "Ed25519", "x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"},
)
_JWK: Final = (
    *("keys", "kty", "kid", "use", "alg", "crv", "x", "y", "n", "e", "d", "oth", "sig", "enc"),
    *("RSA", "EC", "OKP", "oct", "P-256", "P-521", "secp256k1", "Ed25519", "Ed448", "X25519"),
    *("RS256", "ES256", "EdDSA", "HS256", "none", "AQAB", "AA", "!"),
)
_CLAIMS: Final = (
    *("exp", "nbf", "iat", "iss", "aud", "sub", "jti", "prewire_role", "prewire_services"),
    *("realm_access", "roles", "viewer", "operator", "registrar", "prewire", _ISSUER, "me", "1"),
)


def _keys(data: bytes) -> None:
    """A key set."""
    sets = [{"keys": [{**public, "kid": "a", "use": "sig"}]} for public in _PUBLIC]
    try:
        told = json.loads(Taker(data).json(_JWK, sets))
    except (ValueError, RecursionError):
        return
    if isinstance(told, dict):
        _named(told)


class _OwnKeys(KeySet):
    """A key set that is not fetched."""

    async def key(self, kid: str | None) -> Key | None:
        """The same for all ids."""
        del kid
        return Key(_EC.public_key(), ("ES256",))


_OIDC: Final = OidcIssuer(
    Claims(_ISSUER), _OwnKeys(_ISSUER), cast(KnownTokens, SimpleNamespace(of=lambda _: None))
)


def _token(data: bytes) -> None:
    """A token: any bytes, or one that is signed well and says anything."""
    taker = Taker(data)
    if taker.number(3) == 0:
        asyncio.run(_OIDC.identity(taker.rest()))
        return
    good = {"iss": _ISSUER, "aud": "prewire", "sub": "me", "exp": int(time.time()) + 99}
    parts = [{**good, "prewire_role": "registrar", "prewire_services": "web"}]
    payload = taker.json(_CLAIMS, parts)
    header = {"kid": taker.one_of(("a", "b"))} if taker.number(1) else {}
    signed = jwt.api_jws.encode(payload, _EC, "ES256", headers=header)
    asyncio.run(_OIDC.identity(signed.encode()))


# ------------------------------------------------------------------------------- probes


class _Sink:
    """A writer that nobody reads."""

    def write(self, _: bytes) -> None:
        """Drop it."""


def _probe(data: bytes) -> None:
    """What a container answers to a check, in pieces."""
    asyncio.run(_probed(Taker(data)))


async def _probed(taker: Taker) -> None:
    asked: Callable[..., Any] = _grpc_answer if taker.number(1) else _http_answer
    kind = "grpc" if asked is _grpc_answer else "http"
    check = HealthCheck(kind=kind, grpc_service="a" if kind == "grpc" else "")
    target = Probed(
        *("web", "c", 1, "0" * 15 + "1", "10.0.0.1", "10.0.0.2"),
        port=80,
        mac="02:00:00:00:00:01",
        check=check,
    )
    reader = asyncio.StreamReader()
    content = taker.rest()
    half = len(content) // 2
    reader.feed_data(content[:half])
    await asyncio.sleep(0)
    reader.feed_data(content[half:])
    reader.feed_eof()
    await asked(target, reader, _Sink())


# ------------------------------------------------------------------------------- JSON of others


def _json(data: bytes) -> None:
    """Errors of OVSDB and of Kubernetes, problems and events of prewire's own API."""
    taker = Taker(data)
    kind = taker.number(3)
    body = taker.json(_ERRORS, ({"error": "constraint violation", "details": "x", "message": "m"},))
    text = body.decode("utf-8", "replace")
    match kind:
        case 0:
            refusal("unix:a", text)
        case 1:
            _driver_error("a", cast(Exception, SimpleNamespace(status=409, body=body, reason="r")))
        case 2:
            said = _loaded(body)
            if isinstance(said, dict):
                _told(said)
        case _:
            list(_frames(iter(text.splitlines())))


_ERRORS: Final = (
    *("error", "details", "message", "errors", "field", "remedy", "detail", "constraint violation"),
    *("referential integrity violation", "data: {}", "event: put", "id: 1", "I/O error"),
)


def _loaded(body: bytes) -> Any:
    try:
        return json.loads(body)
    except (ValueError, RecursionError):
        return None


def _stream(data: bytes) -> None:
    """An OVSDB message in two pieces is the same as in one."""
    text = data[1:].decode("utf-8", "replace")
    cut = data[0] * len(text) // 256 if data else 0
    found = []
    for pieces in ((text,), (text[:cut], text[cut:])):
        parser = StreamParser()
        for piece in pieces:
            if not parser.is_done():
                parser.feed(piece)
        found.append(parser.finish() if parser.is_done() else None)
    assert (
        found[0] == found[1] or all(isinstance(each, str) for each in found) or found[0] != found[0]
    )


# ------------------------------------------------------------------------------- gRPC

_REQUESTS: Final[tuple[type[Message], ...]] = (
    pb.WatchPlansRequest,
    pb.WatchPrewarmRequestsRequest,
    pb.GetSeriesRequest,
    pb.AcknowledgeRequest,
    scaler_pb.ScaledObjectRef,
    scaler_pb.GetMetricsRequest,
)


def _call(data: bytes) -> None:
    """A request, and what is looked at first of it."""
    made = _REQUESTS[data[0] % len(_REQUESTS)] if data else pb.WatchPlansRequest
    request: Any = made.FromString(data[1:])
    str(request)
    if made is scaler_pb.ScaledObjectRef:
        service_of(request)
    if made is pb.WatchPlansRequest:
        _names("services", request.services)
        read_token(request.resume_token, "plans")


def _call_seeds() -> Iterator[bytes]:
    asked = pb.WatchPlansRequest(services=["a"])
    asked.resume_token = "1.plans.0123abcd.1.1"  # noqa: S105 - a place in a stream
    yield b"\0" + asked.SerializeToString()
    scaled = scaler_pb.ScaledObjectRef(name="a", scalerMetadata={"service": "b"})
    yield b"\4" + scaled.SerializeToString()


TARGETS: Final = (
    Target("prometheus-answers", _prometheus, (PrometheusError,)),
    Target("key-sets", _keys, (KeysAway,)),
    Target("tokens", _token, (Refusal,)),
    Target(
        "probe-answers",
        _probe,
        (h11.ProtocolError, h2.exceptions.ProtocolError),
        lambda: [
            b"\0HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok",
            b"\0HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 503 x\r\n\r\n",
            b"\1\0\0\0\4\0\0\0\0\0\0\0\6\4\0\0\0\0\0\2\4\1\0",
            b"\1\0\0\0\4\0\0\0\0\0\0\0\1\1\4\0\0\0\1\x88\0\0\7\0\0\0\0\0\1\0\0\0\0\2\x08\1",
        ],
        ("HTTP/1.1 ", "Transfer-Encoding: chunked\r\n", "\r\n\r\n", "Connection: "),
    ),
    Target(
        "json-of-others",
        _json,
        (NibError, FieldError, CommandFailed),
    ),
    Target("ovsdb-messages", _stream, (), lambda: [b'\x80{"id":0,"result":[{"a":"b\\""}]}']),
    Target("grpc-requests", _call, (DecodeError, FieldError), _call_seeds),
)
