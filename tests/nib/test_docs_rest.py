"""docs/rest.md: every curl example is sent to the real application, and answers as shown."""

from __future__ import annotations

import asyncio
import json
import re
import shlex
import time
from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path

import httpx
import pytest
from fastapi import FastAPI

from nib.database import Nib
from nib.draft import Draft
from nib.intent import Service
from nib.plans import ContainerPlan, Dependency, PolicyRate, PrewarmRequest
from nib.prewarm import Override, Scaling
from nib.server import EmbeddedServer
from nib.topology import Host, Link, Port, Switch
from nib.watch import Batch
from prewire.api import server as rest
from prewire.docs import writing as docs
from ryu_apps.dealing import next_slots

DPID, SPINE = "00000000000000a1", "00000000000000b1"
TIME = re.compile(r'("[a-z_]+_ms":)[0-9]{13}\b')
DATABASE = re.compile(r'("database":)"[0-9a-f]{8}"')
HOLDS = re.compile(r'("holds_until_ms":)(?:null|[0-9]{13})')
EVENT = re.compile(r'("id":"|"request":")(?:[0-9a-f]{20}|[0-9a-f]{16})"')
SECONDS_LEFT = re.compile(r'("seconds_left":)[0-9.]+')
EXAMPLE = re.compile(r"```sh\n(curl .+)\n```\n\n```\n(\d+)\n((?:[^`\n].*\n)*)```")


def a_switch(draft: Draft) -> None:
    draft.put(Switch(DPID, ct_zone=1, name="br0", connected=True))
    for place in (1, 2):
        name, mac = f"web-{place}", f"02:00:00:00:00:1{place}"
        draft.put(Port(DPID, name, place + 1, mac, name, mac, up=True))
    a_fabric(draft)


def a_fabric(draft: Draft) -> None:
    """A switch beside it, linked to it, and a host that was heard."""
    draft.put(Switch(SPINE, ct_zone=2, name="spine", connected=True))
    draft.put(Port(DPID, "up1", 10, "02:00:00:00:00:aa", up=True, speed_bps=10**10))
    draft.put(Port(SPINE, "down1", 1, "02:00:00:00:00:bb", up=True, speed_bps=10**10))
    draft.put(Link(DPID, "up1", SPINE, "down1"))
    draft.put(Link(SPINE, "down1", DPID, "up1"))
    draft.put(Port(DPID, "client", 1, "02:00:00:00:00:cc", up=True))
    draft.put(Host("02:00:00:00:00:21", DPID, "client", frozenset({"10.0.0.21"})))
    draft.put(Dependency("web", "shop", 4000, "learned", 120, 1500))


class PromptController:
    """Deals slots and plans as controller and predictor do, and acknowledges without a switch."""

    def __init__(self, nib: Nib) -> None:
        self._nib = nib
        self._generation = 0
        nib.watch(self._heard)

    def _heard(self, batch: Batch) -> None:
        if batch.generation > self._generation:
            self._generation = batch.generation
            self._nib.write(partial(dealt, batch.generation))


def dealt(generation: int, draft: Draft) -> None:
    for service in draft.all(Service):
        table = next_slots(service.name, draft, round(time.time() * 1000))
        assert table is not None
        draft.put(table)
    planned(draft, round(time.time() * 1000))
    for switch in draft.all(Switch):
        draft.put(replace(switch, applied=generation))


def planned(draft: Draft, now_ms: int) -> None:
    """What a predictor and a controller decide: containers of services, rates of policies."""
    until_ms = now_ms + 30_000
    for scaling in draft.all(Scaling):
        reason = "p99 of 10.1 within 5 s"
        name = scaling.service
        draft.put(ContainerPlan(name, 4, now_ms, until_ms, "forecast", reason, made_ms=now_ms))
        if draft.get(PrewarmRequest, "7f3a") is None:
            needed_ms = now_ms + 5000
            draft.put(
                PrewarmRequest("7f3a", name, 4, 3, now_ms, needed_ms, until_ms, reason=reason)
            )
    for override in draft.all(Override):
        if override.kind == "policy":
            draft.put(PolicyRate(override.name, "override", override.until_ms, override.max_bps))


@pytest.fixture
def application(tmp_path: Path) -> Iterator[FastAPI]:
    with EmbeddedServer(tmp_path) as server, Nib(server.remote, "docs") as nib:
        nib.write(a_switch).result(60)
        PromptController(nib)
        yield rest.application(nib)


def request_of(command: str) -> httpx.Request:
    """What a curl command sends: -X, -H and -d are all that the page uses."""
    words = iter(shlex.split(command)[1:])
    method, url, headers, body = "GET", "", {}, ""
    for word in words:
        match word:
            case "-X":
                method = next(words)
            case "-H":
                name, _, value = next(words).partition(": ")
                headers[name] = value
            case "-d":
                body = next(words)
            case _:
                url = word
    return httpx.Request(method, url, headers=headers, content=body)


async def answers(application: FastAPI, commands: list[str]) -> list[tuple[int, str]]:
    async with httpx.AsyncClient(transport=httpx.ASGITransport(application)) as client:
        found = [await client.send(request_of(command)) for command in commands]
    return [(answer.status_code, answer.text) for answer in found]


def test_examples_answer_as_shown(application: FastAPI) -> None:
    page = (docs.FOLDER / "rest.md").read_text(encoding="utf-8")
    examples = EXAMPLE.findall(page)
    assert len(examples) == page.count("```sh\ncurl")
    given = asyncio.run(answers(application, [command for command, _, _ in examples]))
    shown = [(int(status), timeless(compact(answer))) for _, status, answer in examples]
    assert [(status, timeless(answer)) for status, answer in given] == shown


def timeless(answer: str) -> str:
    """The answer at any time, of any database."""
    answer = EVENT.sub(r'\g<1>"', DATABASE.sub(r'\g<1>""', answer))
    answer = TIME.sub(r"\g<1>0", HOLDS.sub(r"\g<1>null", answer))
    return SECONDS_LEFT.sub(r"\g<1>0", answer)


def compact(shown: str) -> str:
    return json.dumps(json.loads(shown), separators=(",", ":")) if shown.strip() else ""
