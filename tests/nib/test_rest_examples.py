"""Examples in the OpenAPI description: every body has some, the real server takes each of them, and
each fits the description of its object."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import jsonschema_rs
import pytest
from fastapi import FastAPI

from nib.database import Nib
from nib.draft import Draft
from nib.intent import Service
from nib.plans import PrewarmRequest
from nib.qos import Policy
from nib.server import EmbeddedServer
from nib.topology import Port, Switch
from prewire.api import server as rest
from tests.nib.rest_world import BEGAN_MS, LATER_MS

DPID = "00000000000000a1"
MAC = "02:00:00:00:00:11"

# What stands in a path for its parameters, where it is not a new object.
NAMED = {
    "/v1/services/{name}/": {"name": "web", "container_id": "web-1"},
    "/v1/policies/{name}/": {"name": "dump"},
    "/v1/link-rates/": {"switch": "br0", "port": "veth1"},
    "/v1/prewarm-requests/": {"request_id": "7f3a"},
    "/v1/dependencies/": {"parent": "shop", "child": "db"},
}
NEW = {"name": "bulk", "kind": "service"}


def seeded(draft: Draft) -> None:
    draft.put(Switch(DPID, ct_zone=1, name="br0", connected=True))
    draft.put(Port(DPID, "veth1", 1, MAC, "web-1", MAC, up=True, speed_bps=10**10))
    draft.put(Service("web", "10.0.0.9", 80))
    draft.put(Service("bulk", "10.0.0.100", 81))
    draft.put(Policy("dump", source="web"))
    draft.put(PrewarmRequest("7f3a", "web", 4, 3, BEGAN_MS, BEGAN_MS + 1, LATER_MS))


@pytest.fixture(scope="module")
def application(tmp_path_factory: pytest.TempPathFactory) -> Iterator[FastAPI]:
    directory: Path = tmp_path_factory.mktemp("examples")
    with EmbeddedServer(directory) as server, Nib(server.remote, "rest", sees_tokens=True) as nib:
        nib.write(seeded).result(60)
        yield rest.application(nib)


def bodies(spec: dict[str, Any]) -> Iterator[tuple[str, str, list[Any]]]:
    """Method, path and examples of every operation that takes a body."""
    schemas = spec["components"]["schemas"]
    for path, methods in spec["paths"].items():
        for method, operation in methods.items():
            if "requestBody" in operation:
                content = operation["requestBody"]["content"]["application/json"]
                named = [each["value"] for each in content.get("examples", {}).values()]
                name = content["schema"]["$ref"].rpartition("/")[2]
                yield method.upper(), path, [*named, *schemas[name].get("examples", [])]


def url(path: str, example: dict[str, Any]) -> str:
    """A path for this example."""
    known = next((each for begin, each in NAMED.items() if path.startswith(begin)), NEW)
    if path.startswith("/v1/overrides") and "max_bps" in example:
        known = {"kind": "policy", "name": "dump"}
    return path.format(**known)


def test_the_server_takes_every_example(application: FastAPI) -> None:
    async def sent() -> list[str]:
        transport = httpx.ASGITransport(application)
        refused = []
        async with (
            application.router.lifespan_context(application),
            httpx.AsyncClient(transport=transport, base_url="http://prewire") as client,
        ):
            for method, path, examples in bodies(application.openapi()):
                assert examples, f"{method} {path} has no example"
                for each in examples:
                    answer = await client.request(method, url(path, each), json=each)
                    if not answer.is_success:
                        refused.append(f"{method} {path} {each}: {answer.text}")
        return refused

    assert asyncio.run(sent()) == []


def test_every_example_is_as_described(application: FastAPI) -> None:
    spec = application.openapi()
    components = {"components": spec["components"]}
    schemas = spec["components"]["schemas"]
    examples = [
        (schema, each) for schema in schemas.values() for each in schema.get("examples", ())
    ]
    examples += [
        (content["schema"], content["example"])
        for methods in spec["paths"].values()
        for operation in methods.values()
        for answer in operation["responses"].values()
        for content in answer.get("content", {}).values()
        if "example" in content
    ]
    for schema, example in examples:
        found = jsonschema_rs.validator_for({**schema, **components}).iter_errors(example)
        assert [error.message for error in found] == [], example


def test_every_json_answer_has_an_example(application: FastAPI) -> None:
    lacking = [
        f"{method} {path} {code}"
        for path, methods in application.openapi()["paths"].items()
        for method, operation in methods.items()
        for code, answer in operation["responses"].items()
        for kind, content in answer.get("content", {}).items()
        if kind == "application/json" and "example" not in content
    ]
    assert lacking == []
