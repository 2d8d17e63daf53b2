"""CloudEvents of prewarm requests, to a real sink over HTTP."""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest
from cloudevents.core.bindings.http import HTTPMessage, from_binary
from cloudevents.core.formats.json import JSONFormat

from nib.errors import FieldError
from nib.mirror import RowChange
from nib.plans import PrewarmRequest
from nib.watch import Batch
from predictor.outward.cloudevents import CloudEvents, SinkSettings, sink_of
from tests.predictor.outward_site import WAIT_S, Clock, request

SOURCE = "/prewire/predictors/p1"
NOTHING = Batch(1, ())


class Sink:
    """Takes events, after answering as `failing` says."""

    def __init__(self) -> None:
        self.url = ""
        self.arrived = 0
        self.failing: list[int] = []
        self.events: list[Any] = []
        self.answers: list[int] = []
        self.gate = threading.Event()
        self.gate.set()


@contextmanager
def sinking() -> Iterator[Sink]:
    sink = Sink()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            sink.arrived += 1
            sink.gate.wait(WAIT_S)
            code = sink.failing.pop(0) if sink.failing else 202
            if code == 202:
                received = HTTPMessage(headers=dict(self.headers.items()), body=body)
                sink.events.append(from_binary(received, JSONFormat()))
            sink.answers.append(code)
            self.send_response(code)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_: Any) -> None:
            """Nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    sink.url = f"http://127.0.0.1:{server.server_port}/events"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    try:
        yield sink
    finally:
        sink.gate.set()
        server.shutdown()
        server.server_close()
        thread.join()


def posting(url: str, mine: Callable[[str], bool] = lambda _: True, **settings: Any) -> CloudEvents:
    return CloudEvents(SinkSettings(url, SOURCE, first_s=0.01, **settings), mine)


def told(*requests: PrewarmRequest) -> Batch:
    return Batch(1, tuple(RowChange(None, row) for row in requests))


async def until(holds: Callable[[], object]) -> None:
    async with asyncio.timeout(WAIT_S):
        while not holds():
            await asyncio.sleep(0.01)


def test_each_state_of_a_request_is_an_event_of_its_type() -> None:
    async def run() -> None:
        with sinking() as sink:
            async with posting(sink.url) as events:
                events.hear(NOTHING)
                for state, ended in (("requested", None), ("accepted", None), ("ready", 5_000)):
                    row = request(1, Clock(), state=state, ended_ms=ended, accepted_ms=4_000)
                    events.hear(told(row))
                await until(lambda: events.sent == 3)
            types = [event.get_type() for event in sink.events]
            assert types == [
                f"dev.prewire.prewarm.{state}.v1" for state in ("requested", "accepted", "ready")
            ]
            last = sink.events[-1]
            assert (last.get_specversion(), last.get_source()) == ("1.0", SOURCE)
            assert (last.get_id(), last.get_subject()) == ("r1-ready", "shop")
            assert last.get_time().timestamp() == 5.0
            data = last.get_data()
            content = data if isinstance(data, dict) else json.loads(data)
            assert (content["service"], content["containers"], content["state"]) == (
                "shop",
                3,
                "ready",
            )

    asyncio.run(run())


def test_what_was_there_before_and_what_others_mind_is_not_told() -> None:
    async def run() -> None:
        with sinking() as sink:
            async with posting(sink.url, lambda service: service == "shop") as events:
                events.hear(told(request(1, Clock())))
                events.hear(told(request(2, Clock(), service="other"), request(3, Clock())))
                await until(lambda: events.sent)
            assert [event.get_id() for event in sink.events] == ["r3-requested"]

    asyncio.run(run())


def test_a_sink_that_fails_for_a_while_is_tried_again() -> None:
    async def run() -> None:
        with sinking() as sink:
            sink.failing = [503, 429, 500]
            async with posting(sink.url) as events:
                events.hear(NOTHING)
                events.hear(told(request(1, Clock())))
                await until(lambda: events.sent == 1)
            assert sink.answers == [503, 429, 500, 202]

    asyncio.run(run())


def test_a_sink_that_refuses_is_not_tried_again() -> None:
    async def run() -> None:
        with sinking() as sink:
            sink.failing = [400]
            async with posting(sink.url) as events:
                events.hear(NOTHING)
                events.hear(told(request(1, Clock()), request(2, Clock())))
                await until(lambda: events.sent == 1)
            assert (events.failed, sink.answers) == (1, [400, 202])

    asyncio.run(run())


def test_a_sink_that_is_away_is_given_up_after_so_many_tries() -> None:
    async def run() -> None:
        with sinking() as sink:
            url = sink.url
        async with posting(url, tries=3) as events:
            events.hear(NOTHING)
            events.hear(told(request(1, Clock())))
            await until(lambda: events.failed == 1)

    asyncio.run(run())


def test_where_there_is_no_room_the_oldest_go() -> None:
    async def run() -> None:
        with sinking() as sink:
            sink.gate.clear()
            async with posting(sink.url, room=3) as events:
                events.hear(NOTHING)
                events.hear(told(request(0, Clock())))
                await until(lambda: sink.arrived)
                events.hear(told(*(request(number, Clock()) for number in range(1, 8))))
                await until(lambda: events.dropped == 4)
                sink.gate.set()
                await until(lambda: events.sent == 4)
            ids = [event.get_id() for event in sink.events]
            assert ids == [f"r{number}-requested" for number in (0, 5, 6, 7)]

    asyncio.run(run())


def test_the_end_waits_for_nobody_longer_than_for_an_answer() -> None:
    async def run() -> None:
        with sinking() as sink:
            sink.gate.clear()
            async with asyncio.timeout(5), posting(sink.url, answer_s=0.2) as events:
                events.hear(NOTHING)
                events.hear(told(request(1, Clock()), request(2, Clock())))
                await until(lambda: len(events._waiting) == 1)

    asyncio.run(run())


def test_the_sink_is_that_of_the_environment() -> None:
    assert sink_of({"K_SINK": "http://broker/default"}) == "http://broker/default"
    assert sink_of({}) is None


@pytest.mark.parametrize(
    "url", ["sink", "ftp://sink/", "http://", "http://[::", "http://sink:99999/", "http://sink:x/"]
)
def test_what_is_no_http_url_is_refused(url: str) -> None:
    with pytest.raises(FieldError, match=r"sink: .* is no HTTP URL"):
        SinkSettings(url, SOURCE)


def test_an_event_that_cannot_be_posted_leaves_the_others_alone() -> None:
    async def run() -> None:
        async with posting("http://xn--/") as events:  # its host is no name: httpx says so late
            events.hear(NOTHING)
            events.hear(told(request(1, Clock()), request(2, Clock())))
            await until(lambda: events.failed == 2)

    asyncio.run(run())
