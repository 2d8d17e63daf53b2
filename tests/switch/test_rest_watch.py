"""Watches of a REST server in a process of its own: streams, their ends, and many of them."""

from __future__ import annotations

import json
import selectors
import socket
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, Final

import httpx
import pytest

from tests.switch.rest_server import RestServer, problem, serving

WATCHERS: Final = 1000


@pytest.fixture(scope="module")
def rest() -> Iterator[RestServer]:
    with serving() as server:
        yield server


@contextmanager
def watched(rest: RestServer, path: str, after: str = "") -> Iterator[Iterator[dict[str, Any]]]:
    headers = {"Last-Event-ID": after} if after else {}
    with rest.http.stream("GET", path, headers=headers, timeout=60) as answer:
        assert answer.status_code == 200, answer.read()
        assert answer.headers["content-type"].startswith("text/event-stream")
        yield frames(answer)


def frames(answer: httpx.Response) -> Iterator[dict[str, Any]]:
    lines: dict[str, str] = {}
    for line in answer.iter_lines():
        if line:
            name, _, value = line.partition(": ")
            lines[name] = value
        elif "event" in lines:
            yield {"event": lines["event"], "id": lines.get("id"), **json.loads(lines["data"])}
            lines = {}


def until(seen: Iterator[dict[str, Any]], event: str, key: str | None = None) -> dict[str, Any]:
    return next(f for f in seen if f["event"] == event and key in (None, f.get("key")))


def test_a_list_that_is_watched_tells_of_each_change_as_the_list_shows_it(rest: RestServer) -> None:
    rest.put("/v1/services/web", vip="10.0.0.100", port=80).raise_for_status()
    with watched(rest, "/v1/services?watch") as seen:
        assert until(seen, "put")["key"] == "web"
        until(seen, "ready")
        rest.put("/v1/services/web", vip="10.0.0.100", port=81).raise_for_status()
        frame = until(seen, "put", "web")
        assert frame["object"] == rest.http.get("/v1/services/web").json()
        assert frame["object"]["port"] == 81


def test_a_client_that_comes_back_hears_what_it_missed(rest: RestServer) -> None:
    with watched(rest, "/v1/classes?watch") as seen:
        last = until(seen, "ready")["id"]
    body = {"dscp": 12, "queue": 6, "priority": 1}
    rest.put("/v1/classes/odd", **body).raise_for_status()
    with watched(rest, "/v1/classes?watch", last) as seen:
        first = next(seen)
        if first["event"] == "ready":  # the change was not made an event of yet
            first = next(seen)
        assert (first["event"], first["key"]) == ("put", "odd")


def test_an_event_says_who_changed_what(rest: RestServer) -> None:
    with watched(rest, "/v1/watch?kinds=events&kind=service") as seen:
        until(seen, "ready")
        rest.put("/v1/services/told", vip="10.0.0.101", port=80).raise_for_status()
        event = until(seen, "put")["object"]
        assert (event["kind"], event["name"], event["action"]) == ("service", "told", "created")


@pytest.mark.parametrize(
    ("path", "status", "field"),
    [
        ("/v1/watch", 422, "kinds"),
        ("/v1/watch?kinds=services,tokens", 422, "kinds"),
        ("/v1/services?watch=perhaps", 422, "watch"),
        ("/v1/services?watch&limit=7", 422, "limit"),
        ("/v1/services?watch&timeout=-1", 422, "timeout"),
        ("/v1/services?watch&timeout=nan", 422, "timeout"),
        ("/v1/services/none/containers?watch", 404, "path"),
    ],
)
def test_what_cannot_be_watched_is_refused(
    rest: RestServer, path: str, status: int, field: str
) -> None:
    assert problem(rest.http.get(path), status)["field"] == field


def test_a_list_is_a_list_where_a_watch_is_declined(rest: RestServer) -> None:
    assert "items" in rest.http.get("/v1/services?watch=false").json()


def test_a_watch_ends_when_its_time_is_up(rest: RestServer) -> None:
    with watched(rest, "/v1/services?watch&timeout=0.2") as seen:
        assert list(seen)[-1]["event"] == "bye"


def test_a_change_reaches_a_thousand_watchers_within_a_second(rest: RestServer) -> None:
    """The one second holds on an idle machine; under load it is the machine that is late."""
    with ExitStack() as stack, selectors.DefaultSelector() as selector:
        for _ in range(WATCHERS):
            client = stack.enter_context(socket.create_connection(_address(rest)))
            client.sendall(b"GET /v1/services?watch HTTP/1.1\r\nHost: localhost\r\n\r\n")
            selector.register(client, selectors.EVENT_READ)
        _all_read(selector, b"event: ready")
        began = time.monotonic()
        rest.put("/v1/services/many", vip="10.0.0.102", port=80).raise_for_status()
        _all_read(selector, b'"key":"many"')
        took_s = time.monotonic() - began
        assert _resident_mib(rest) < 300
        assert took_s < 15  # `benchmarks watchers` measures it


def _address(rest: RestServer) -> tuple[str, int]:
    return "127.0.0.1", rest.settings.api_port


def _all_read(selector: selectors.BaseSelector, text: bytes) -> None:
    tails: dict[object, bytes] = {key.fileobj: b"" for key in selector.get_map().values()}
    deadline = time.monotonic() + 30
    while tails:
        assert time.monotonic() < deadline, f"{len(tails)} were not told of {text!r}"
        for key, _ in selector.select(1):
            part = key.fileobj.recv(1 << 18)  # type: ignore[union-attr]
            assert part, "a watch ended"
            if key.fileobj in tails:
                tails[key.fileobj] += part
                if text in tails[key.fileobj]:
                    del tails[key.fileobj]


def _resident_mib(rest: RestServer) -> float:
    status = Path(f"/proc/{rest.process.pid}/status").read_text()
    return int(status.split("VmRSS:")[1].split()[0]) / 1024


def test_a_server_that_is_told_to_stop_sends_its_watchers_away() -> None:
    with serving(switch=False) as rest, ExitStack() as stack:
        seen = stack.enter_context(watched(rest, "/v1/services?watch"))
        until(seen, "ready")
        began = time.monotonic()
        rest.process.terminate()
        assert next(seen)["event"] == "bye"
        assert time.monotonic() - began < 15
