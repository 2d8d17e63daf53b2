"""Lists of the real application on a real database: pages of each, filters, and events."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from fastapi import FastAPI

from nib.database import Nib
from nib.server import EmbeddedServer
from prewire.api import server as rest
from tests.nib.rest_world import BEGAN_MS, SWITCHES, peopled

LISTS = (
    "/v1/services", "/v1/services/web/containers", "/v1/containers", "/v1/demand", "/v1/classes",
    "/v1/traffic-presets", "/v1/policies", "/v1/link-rates", "/v1/bandwidth", "/v1/scalings",
    "/v1/provisionings", "/v1/schedules", "/v1/overrides", "/v1/dependencies", "/v1/plans",
    "/v1/prewarm-requests", "/v1/predictors", "/v1/switches", "/v1/links", "/v1/hosts",
    "/v1/events",
)  # fmt: skip


@pytest.fixture(scope="module")
def application(tmp_path_factory: pytest.TempPathFactory) -> Iterator[FastAPI]:
    directory: Path = tmp_path_factory.mktemp("lists")
    with EmbeddedServer(directory) as server, Nib(server.remote, "rest") as nib:
        nib.write(peopled).result(60)
        yield rest.application(nib)


def got(application: FastAPI, path: str, **query: Any) -> httpx.Response:
    """The answer to a GET."""

    async def asked() -> httpx.Response:
        transport = httpx.ASGITransport(application)
        async with httpx.AsyncClient(transport=transport, base_url="http://prewire") as client:
            return await client.get(path, params=query or None)

    return asyncio.run(asked())


def rows(answer: dict[str, Any]) -> list[Any]:
    """What a list has, without what depends on the moment."""
    found = [row for member in answer.values() if isinstance(member, list) for row in member]
    for row in found:
        row.pop("seconds_left", None)
    return found


def test_no_list_is_forgotten_here(application: FastAPI) -> None:
    paths = application.openapi()["paths"]
    answers = application.openapi()["components"]["schemas"]
    lists = {name for name, schema in answers.items() if "next" in schema.get("properties", ())}
    found = set()
    for path, methods in paths.items():
        content = methods.get("get", {"responses": {}})["responses"].get("200", {})
        schema = content.get("content", {}).get("application/json", {}).get("schema", {})
        if schema.get("$ref", "").rpartition("/")[2] in lists:
            found.add(path.replace("{name}", "web"))
            named = {each["name"] for each in methods["get"]["parameters"]}
            assert {"limit", "cursor"} <= named, path
            assert "Link" in methods["get"]["responses"]["200"]["headers"], path
    assert found - {"/v1/tokens"} == set(LISTS)


@pytest.mark.parametrize("path", LISTS)
def test_its_pages_together_are_the_whole_list(application: FastAPI, path: str) -> None:
    whole = got(application, path).json()
    expected = rows(whole)
    assert len(expected) >= 3
    assert whole["next"] is None
    found: list[Any] = []
    url = f"{path}?limit=2"
    while True:
        answer = got(application, url)
        part = rows(answer.json())
        assert len(part) <= 2
        found += part
        following = answer.json()["next"]
        assert (following is None) == ("link" not in answer.headers)
        if following is None:
            break
        url = answer.links["next"]["url"]
    assert found == expected


def test_a_cursor_of_another_list_is_refused(application: FastAPI) -> None:
    cursor = got(application, "/v1/classes", limit=1).json()["next"]
    refused = got(application, "/v1/services", cursor=cursor)
    assert (refused.status_code, refused.json()["field"]) == (422, "cursor")


@pytest.mark.parametrize("limit", ["0", "5001", "many"])
def test_a_limit_out_of_range_is_refused(application: FastAPI, limit: str) -> None:
    refused = got(application, "/v1/services", limit=limit)
    assert (refused.status_code, refused.json()["field"]) == (422, "limit")


def ids(answer: httpx.Response) -> list[str]:
    return [each["id"] for each in answer.json()["items"]]


def test_containers_are_those_that_are_asked_for(application: FastAPI) -> None:
    path = "/v1/containers"
    assert len(ids(got(application, path))) == 9
    assert ids(got(application, path, service="shop")) == ["shop-1", "shop-2", "shop-3"]
    assert ids(got(application, path, switch="br1")) == ["db-2", "shop-2", "web-2"]
    assert ids(got(application, path, switch=SWITCHES[1], version="v2", service="db")) == ["db-2"]
    assert ids(got(application, path, version="v2", switch="br0")) == []
    assert len(ids(got(application, path, state="ready"))) == 9
    assert ids(got(application, path, state="draining")) == []
    alone = got(application, "/v1/services/shop/containers").json()["items"]
    assert got(application, path, service="shop").json()["items"] == alone
    assert got(application, path, switch="br9").json()["field"] == "switch"
    assert got(application, path, service="none").json()["items"] == []


def test_events_are_those_that_are_asked_for_the_newest_first(application: FastAPI) -> None:
    path = "/v1/events"
    seen = got(application, path, kind="service", name="web", actor="alice").json()["items"]
    assert [each["action"] for each in seen] == ["deleted", "changed", "created"]
    since = got(application, path, name="web", since=BEGAN_MS + 2).json()["items"]
    assert [each["action"] for each in since] == ["deleted"]
    assert got(application, path, severity="warning").json()["items"] == []
    assert got(application, path, kind="link").json()["items"] == []
    assert got(application, f"{path}/{seen[1]['id']}").json() == seen[1]
    assert got(application, f"{path}/00").status_code == 404
    assert got(application, path, kind="sevice").status_code == 422
