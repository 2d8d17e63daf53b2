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
from nib.server import EmbeddedServer
from nib.topology import Host, Link, Port, Switch
from nib.watch import Batch
from prewire import docs, rest
from ryu_apps.dealing import next_slots

DPID, SPINE = "00000000000000a1", "00000000000000b1"
TIME = re.compile(r'("[a-z_]+_ms":)[0-9]{13}\b')
DATABASE = re.compile(r'("database":)"[0-9a-f]{8}"')
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


class PromptController:
    """Deals slots as the controller does, and acknowledges without a switch."""

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
    for switch in draft.all(Switch):
        draft.put(replace(switch, applied=generation))


@pytest.fixture
def application(tmp_path: Path) -> Iterator[FastAPI]:
    with EmbeddedServer(tmp_path) as server, Nib(server.remote, "docs") as nib:
        nib.write(a_switch).result(10)
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
    answer = DATABASE.sub(r'\g<1>""', answer)
    return SECONDS_LEFT.sub(r"\g<1>0", TIME.sub(r"\g<1>0", answer))


def compact(shown: str) -> str:
    return json.dumps(json.loads(shown), separators=(",", ":")) if shown.strip() else ""
