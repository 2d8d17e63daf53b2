"""Conditions of requests (If-Match, If-None-Match) on a real database, several writers at once."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx
import pytest
from fastapi import FastAPI

from nib.database import Nib
from nib.draft import Draft
from nib.intent import Service
from nib.server import EmbeddedServer
from nib.topology import Port, Switch
from prewire.api import server as rest

WEB: dict[str, Any] = {"vip": "10.0.0.100", "port": 80}
MAC = "02:00:00:00:00:11"
CONTAINER = {"address": "10.0.0.11", "port": 8080, "iface_id": "web-1", "lease_seconds": 60}
DPID = "00000000000000a1"

# Path, body, and another body of every object that is stated.
OBJECTS: list[tuple[str, dict[str, Any], dict[str, Any]]] = [
    ("/v1/services/db", {"vip": "10.0.0.101", "port": 80}, {"vip": "10.0.0.101", "port": 81}),
    ("/v1/services/web/containers/web-1", CONTAINER, {**CONTAINER, "weight": 2}),
    ("/v1/classes/gold", {"dscp": 5, "queue": 9}, {"dscp": 5, "queue": 9, "weight": 2}),
    ("/v1/policies/all", {"destination": "web", "max_bps": "5M"}, {"destination": "web"}),
    (f"/v1/link-rates/{DPID}/up1", {"bps": "1G"}, {"bps": "2G"}),
    ("/v1/services/web/scaling", {}, {"concurrency": 4}),
    ("/v1/policies/bulk/provisioning", {}, {"headroom_percent": 20}),
    (
        "/v1/schedules/noon",
        {"cron": "0 12 * * *", "duration_seconds": 60, "service": "web", "containers": 2},
        {"cron": "0 13 * * *", "duration_seconds": 60, "service": "web", "containers": 2},
    ),
    (
        "/v1/overrides/service/web",
        {"containers": 3, "until": "2026-12-01T00:00:00Z"},
        {"containers": 4, "until": "2026-12-01T00:00:00Z"},
    ),
    ("/v1/dependencies/web/db", {"verdict": "pin"}, {"verdict": "ban"}),
]
NAMES = [path for path, _, _ in OBJECTS]


def seeded(draft: Draft) -> None:
    draft.put(Switch(DPID, ct_zone=1, name="br0", connected=True))
    draft.put(Port(DPID, "web-1", 1, MAC, "web-1", MAC, up=True))
    draft.put(Port(DPID, "up1", 2, "02:00:00:00:00:aa", up=True, speed_bps=10**10))
    draft.put(Service("web", **WEB))


@pytest.fixture(scope="module")
def application(tmp_path_factory: pytest.TempPathFactory) -> Iterator[FastAPI]:
    directory: Path = tmp_path_factory.mktemp("conditions")
    with EmbeddedServer(directory) as server, Nib(server.remote, "rest") as nib:
        nib.write(seeded).result(60)
        yield rest.application(nib)


Course = Callable[[httpx.AsyncClient], Awaitable[None]]


def run(application: FastAPI, course: Course) -> None:
    """What a client does, against the application."""

    async def whole() -> None:
        transport = httpx.ASGITransport(application)
        async with httpx.AsyncClient(transport=transport, base_url="http://prewire") as client:
            await client.put("/v1/policies/bulk", json={"source": "web"})
            await course(client)

    asyncio.run(whole())


def failed(answer: httpx.Response, header: str) -> None:
    assert answer.status_code == 412, answer.text
    assert answer.json()["type"] == "urn:prewire:problem:precondition-failed"
    assert answer.json()["field"] == header


@pytest.mark.parametrize(("path", "body", "other"), OBJECTS, ids=NAMES)
def test_every_object_is_written_on_condition(
    application: FastAPI, path: str, body: dict[str, Any], other: dict[str, Any]
) -> None:
    async def course(client: httpx.AsyncClient) -> None:
        anew, any_ = {"If-None-Match": "*"}, {"If-Match": "*"}
        failed(await client.put(path, json=body, headers=any_), "If-Match")
        assert (await client.get(path)).status_code == 404, "a refused PUT stores nothing"
        assert (await client.delete(path, headers=any_)).status_code == 404
        created = await client.put(path, json=body, headers=anew)
        assert created.status_code == 201, created.text
        failed(await client.put(path, json=other, headers=anew), "If-None-Match")

        seen = {"If-Match": (await client.get(path)).headers["ETag"]}
        same = await client.put(path, json=body, headers={"If-Match": created.headers["ETag"]})
        assert same.status_code == 200
        changed = await client.put(path, json=other, headers=seen)
        assert changed.status_code == 200, changed.text
        failed(await client.put(path, json=body, headers=seen), "If-Match")
        failed(await client.delete(path, headers=seen), "If-Match")

        weak = {"If-Match": "W/" + changed.headers["ETag"]}
        failed(await client.put(path, json=body, headers=weak), "If-Match")
        several = {"If-Match": f'"1-old", {changed.headers["ETag"]}'}
        assert (await client.delete(path, headers=several)).status_code in (202, 204)

    run(application, course)


def test_a_built_in_class_is_there(application: FastAPI) -> None:
    async def course(client: httpx.AsyncClient) -> None:
        path = "/v1/classes/bulk"
        anew = await client.put(path, json={"weight": 3}, headers={"If-None-Match": "*"})
        failed(anew, "If-None-Match")
        seen = (await client.get(path)).headers["ETag"]
        assert (await client.put(path, json={"weight": 3}, headers={"If-Match": seen})).is_success

    run(application, course)


def test_a_generation_alone_is_a_condition(application: FastAPI) -> None:
    async def course(client: httpx.AsyncClient) -> None:
        generation = (await client.put("/v1/services/web", json=WEB)).json()["generation"]
        kept = {"If-Match": f'"{generation}"'}
        assert (await client.put("/v1/services/web", json=WEB, headers=kept)).status_code == 200
        old = {"If-Match": f'"{generation - 1}"'}
        failed(await client.put("/v1/services/web", json=WEB, headers=old), "If-Match")

    run(application, course)


@pytest.mark.parametrize("value", ["12-5f", '"1', "", '"1" "2"', ","])
def test_what_is_no_entity_tag_is_refused(application: FastAPI, value: str) -> None:
    async def course(client: httpx.AsyncClient) -> None:
        answer = await client.put("/v1/services/web", json=WEB, headers={"If-Match": value})
        assert (answer.status_code, answer.json()["field"]) == (422, "If-Match")

    run(application, course)


def test_of_writers_who_saw_the_same_one_wins(application: FastAPI) -> None:
    """At once, so that one transaction has several of them."""

    async def course(client: httpx.AsyncClient) -> None:
        path = "/v1/services/web"
        for turn in range(5):
            seen = (await client.get(path)).headers["ETag"]
            bodies = [{**WEB, "max_connections": 100 * turn + n} for n in range(1, 21)]
            answers = await asyncio.gather(
                *(client.put(path, json=each, headers={"If-Match": seen}) for each in bodies)
            )
            won = [answer for answer in answers if answer.status_code == 200]
            assert sorted(each.status_code for each in answers) == [200] + [412] * 19
            stored = (await client.get(path)).json()["max_connections"]
            assert won[0].json()["max_connections"] == stored

    run(application, course)


def test_what_one_transaction_wrote_twice_has_two_tags(application: FastAPI) -> None:
    """Changes of one transaction share a generation; who wrote first must not pass for the last."""

    async def course(client: httpx.AsyncClient) -> None:
        path = "/v1/services/web"
        bodies = [{**WEB, "max_connections": n} for n in range(1001, 1021)]
        answers = await asyncio.gather(*(client.put(path, json=each) for each in bodies))
        generations = [answer.json()["generation"] for answer in answers]
        assert len(set(generations)) < len(generations), "no transaction had two of them"
        now = (await client.get(path)).headers["ETag"].strip('"')
        current = [each for each in answers if now.startswith(each.headers["ETag"].strip('"'))]
        assert len(current) == 1

    run(application, course)


def test_a_renewed_lease_is_no_change_of_the_container(application: FastAPI) -> None:
    async def course(client: httpx.AsyncClient) -> None:
        path = "/v1/services/web/containers/web-1"
        tag = (await client.put(path, json=CONTAINER)).headers["ETag"]
        again = await client.put(path, json=CONTAINER, headers={"If-Match": tag})
        assert again.headers["ETag"] == tag
        assert (await client.delete(path, params={"drain": "0"})).status_code == 204

    run(application, course)


def test_an_answer_that_the_client_has_is_not_sent_again(application: FastAPI) -> None:
    async def course(client: httpx.AsyncClient) -> None:
        for path in ("/v1/services/web", "/v1/services", f"/v1/switches/{DPID}", "/v1/status"):
            first = await client.get(path)
            known = {"If-None-Match": f'"other", W/{first.headers["ETag"]}'}
            again = await client.get(path, headers=known)
            assert (again.status_code, again.content) == (304, b""), path
            assert again.headers["ETag"] == first.headers["ETag"]
            assert "content-type" not in again.headers

    run(application, course)


def test_what_stands_differently_is_sent_again_though_its_intent_is_the_same(
    tmp_path: Path,
) -> None:
    with EmbeddedServer(tmp_path) as server, Nib(server.remote, "rest") as nib:
        nib.write(seeded).result(60)

        async def course(client: httpx.AsyncClient) -> None:
            first = await client.get(f"/v1/switches/{DPID}")
            was = first.json()
            await asyncio.wrap_future(nib.write(unplugged))
            known = {"If-None-Match": first.headers["ETag"]}
            again = await client.get(f"/v1/switches/{DPID}", headers=known)
            assert again.status_code == 200
            assert (was["connected"], again.json()["connected"]) == (True, False)

        run(rest.application(nib), course)


def unplugged(draft: Draft) -> None:
    draft.put(replace(draft.need(Switch, DPID), connected=False))


def test_a_document_is_applied_only_at_the_generation_that_was_looked_at(
    application: FastAPI,
) -> None:
    async def course(client: httpx.AsyncClient) -> None:
        document = {"services": [{"name": "shop", "vip": "10.0.0.109", "port": 80}]}
        looked = await client.post("/v1/apply", json=document, params={"dry_run": True})
        generation = looked.headers["Prewire-Generation"]
        kept = {"if_generation": generation}
        await client.put("/v1/services/web", json={**WEB, "max_connections": 7})
        failed(await client.post("/v1/apply", json=document, params=kept), "if_generation")
        assert (await client.get("/v1/services/shop")).status_code == 404
        looked = await client.post("/v1/apply", json=document, params={"dry_run": True})
        kept = {"if_generation": looked.headers["Prewire-Generation"]}
        assert (await client.post("/v1/apply", json=document, params=kept)).is_success
        await client.delete("/v1/services/shop")

    run(application, course)
