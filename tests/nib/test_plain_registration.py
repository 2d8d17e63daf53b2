"""The short way of registrations answers as the described routes do, which take any query."""

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

SAME: Final = "timeout=1e1"  # a query in this form makes it the described route's


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
        nib, ("PUT", ONE, put), ("PUT", ONE, put), gone, ("PUT", f"{ONE}?{SAME}", put), gone
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
    short, described = asked(nib, ("PUT", ONE, how), ("PUT", f"{ONE}?{SAME}", how))
    assert short.status_code == described.status_code
    assert short.json() == described.json()
    assert 400 <= short.status_code < 500


def test_both_ways_drain_and_delete_alike(nib: Nib) -> None:
    put: Request = ("PUT", ONE, {"json": BODY})
    for query in ("", "drain=30s", "drain=0", "drain=0&timeout=5"):
        short, described = (
            asked(nib, put, ("DELETE", f"{ONE}?{query}&{more}".strip("?&"), {}))[1]
            for more in ("", SAME)
        )
        assert short.status_code == described.status_code == (204 if "=0" in query else 202)
        assert headers(short).keys() == headers(described).keys()
        assert short.content[:1] == described.content[:1]
        if short.content:
            assert short.json().keys() == described.json().keys()
            assert short.json()["state"] == described.json()["state"] == "draining"


@pytest.mark.parametrize(
    "query", ["drain=soon", "drain=9999", "drain=0&drain=1", "wait=no", "colour=red"]
)
def test_both_ways_refuse_a_query_alike(nib: Nib, query: str) -> None:
    asked(nib, ("PUT", ONE, {"json": BODY}))
    short, described = asked(
        nib, ("DELETE", f"{ONE}?{query}", {}), ("DELETE", f"{ONE}?{query}&{SAME}", {})
    )
    assert short.status_code == described.status_code
    if short.status_code >= 400:
        assert short.json() == described.json()


def test_a_container_that_is_not_there_is_not_found_by_either_way(nib: Nib) -> None:
    short, described = asked(
        nib,
        ("DELETE", "/v1/services/web/containers/none", {}),
        ("DELETE", f"/v1/services/web/containers/none?{SAME}", {}),
    )
    assert short.status_code == described.status_code == 404
    assert short.json() == described.json()


def test_both_ways_wait_for_the_switches(nib: Nib) -> None:
    put: Request = ("PUT", f"{ONE}?wait=applied&timeout=1", {"json": {**BODY, "weight": 7}})
    (short,) = asked(nib, put)
    (described,) = asked(nib, ("PUT", f"{ONE}?wait=applied&timeout=1e0", {"json": BODY}))
    assert short.status_code == described.status_code == 504
    assert short.json().keys() == described.json().keys()


def test_a_condition_is_heeded(nib: Nib) -> None:
    how = {"json": BODY, "headers": {"If-Match": '"1-nothing"'}}
    (answer,) = asked(nib, ("PUT", ONE, how))
    assert answer.status_code == 412


def test_a_service_that_is_not_there_is_not_found(nib: Nib) -> None:
    (answer,) = asked(nib, ("PUT", "/v1/services/none/containers/c1", {"json": BODY}))
    assert answer.status_code == 404
