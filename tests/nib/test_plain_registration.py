"""The short way of a registration answers as the described route does, which takes a query."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final, TypeAlias

import httpx
import pytest

from nib.database import Nib
from nib.draft import Draft
from nib.intent import Service
from nib.server import EmbeddedServer
from nib.topology import Port, Switch
from prewire.api.server import application

DPID: Final = "0000000000000001"
MAC: Final = "02:00:00:00:00:11"
BODY: Final = {"address": "10.0.0.11", "port": 8080, "iface_id": "web-1"}
ONE: Final = "/v1/services/web/containers/c1"
Request: TypeAlias = tuple[str, str, dict[str, Any]]

SAME: Final = "?timeout=10"  # any query makes it the described route's


def seeded(draft: Draft) -> None:
    draft.put(Service("web", "10.0.0.100", 80))
    draft.put(Switch(DPID, 1, "br0", connected=True))
    draft.put(Port(DPID, "veth1", 1, "02:00:00:00:01:01", "web-1", MAC))


@pytest.fixture(scope="module")
def nib(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Nib]:
    directory = Path(tmp_path_factory.mktemp("nib"))
    with EmbeddedServer(directory) as server, Nib(server.remote, "test") as nib:
        nib.write(seeded).result(10)
        yield nib


def asked(nib: Nib, *requests: Request) -> list[httpx.Response]:
    """The answers, one after the other."""

    async def ask() -> list[httpx.Response]:
        transport = httpx.ASGITransport(application(nib), raise_app_exceptions=False)
        async with httpx.AsyncClient(transport=transport, base_url="http://test") as client:
            return [await client.request(method, path, **how) for method, path, how in requests]

    return asyncio.run(ask())


def headers(answer: httpx.Response) -> dict[str, str]:
    return {name: value for name, value in answer.headers.items() if name != "x-request-id"}


def test_both_ways_create_and_answer_alike(nib: Nib) -> None:
    gone: Request = ("DELETE", f"{ONE}?drain=0", {})
    put: dict[str, Any] = {"json": BODY}
    short, again, _, described, _ = asked(
        nib, ("PUT", ONE, put), ("PUT", ONE, put), gone, ("PUT", ONE + SAME, put), gone
    )
    assert (short.status_code, again.status_code, described.status_code) == (201, 200, 201)
    assert short.json() | {"generation": 0} == described.json() | {"generation": 0}
    assert headers(short).keys() == headers(described).keys()
    assert headers(again) == headers(short)


@pytest.mark.parametrize(
    "how",
    [
        {"json": {**BODY, "port": "80"}},
        {"json": {**BODY, "colour": "red"}},
        {"json": {**BODY, "port": 0}},
        {"json": {**BODY, "iface_id": "nobody"}},
        {"json": [BODY]},
        {"content": b"{", "headers": {"content-type": "application/json"}},
        {"content": b"\xff", "headers": {"content-type": "application/json"}},
        {"content": b"[" * 100_000, "headers": {"content-type": "application/json"}},
        {"content": b"", "headers": {"content-type": "application/json"}},
        {"content": b"{}", "headers": {"content-type": "text/plain"}},
    ],
)
def test_both_ways_refuse_alike(nib: Nib, how: dict[str, Any]) -> None:
    short, described = asked(nib, ("PUT", ONE, how), ("PUT", ONE + SAME, how))
    assert short.status_code == described.status_code
    assert short.json() == described.json()
    assert 400 <= short.status_code < 500


def test_a_condition_is_heeded(nib: Nib) -> None:
    how = {"json": BODY, "headers": {"If-Match": '"1-nothing"'}}
    (answer,) = asked(nib, ("PUT", ONE, how))
    assert answer.status_code == 412


def test_a_service_that_is_not_there_is_not_found(nib: Nib) -> None:
    (answer,) = asked(nib, ("PUT", "/v1/services/none/containers/c1", {"json": BODY}))
    assert answer.status_code == 404
