"""Reading controllers' pages: who counts, and what happens when they are slow, gone or wrong."""

from __future__ import annotations

import asyncio
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest
from prometheus_client import CollectorRegistry, Gauge, start_http_server

from predictor.series.scrape import INFLIGHT, LEADER_EPOCH
from predictor.series.scraper import Scraped, Scraper
from tests.predictor.prometheus_site import free_port


@contextmanager
def controller(epoch: int, level: float = 1.0) -> Iterator[str]:
    """A page as a controller serves it."""
    registry = CollectorRegistry()
    Gauge(LEADER_EPOCH, "Epoch.", registry=registry).set(epoch)
    inflight = Gauge(INFLIGHT, "Requests.", ["service", "container"], registry=registry)
    inflight.labels("web", "c1").set(level)
    server, thread = start_http_server(0, "127.0.0.1", registry)
    try:
        yield f"http://127.0.0.1:{server.server_port}/metrics"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


@contextmanager
def serving(answer: Callable[[BaseHTTPRequestHandler], None]) -> Iterator[str]:
    """A server that answers in its own way."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            answer(self)

        def log_message(self, *_: Any) -> None:
            """Nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/metrics"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def scraped(*urls: str, timeout_s: float = 5.0) -> tuple[Scraped | None, str]:
    """One attempt, and why it failed."""

    async def attempt() -> tuple[Scraped | None, str]:
        scraper = Scraper(urls, timeout_s=timeout_s)
        try:
            return await scraper.scrape(), scraper.failure
        finally:
            await scraper.close()

    return asyncio.run(attempt())


def test_a_page_comes_with_its_time_and_source() -> None:
    with controller(3, 7.0) as url:
        before = time.time_ns() // 1_000_000
        found, failure = scraped(url)
    assert found is not None
    assert failure == ""
    assert found.source == url
    assert before <= found.at_ms <= time.time_ns() // 1_000_000
    assert found.page.family(INFLIGHT).values.tolist() == [7.0]


def test_of_several_controllers_the_leader_counts() -> None:
    with controller(0, 1.0) as idle, controller(4, 2.0) as old, controller(5, 3.0) as leader:
        gone = f"http://127.0.0.1:{free_port()}/metrics"
        found, _ = scraped(idle, old, gone, leader)
    assert found is not None
    assert found.source == leader


def test_where_nobody_leads_there_is_no_page() -> None:
    with controller(0) as idle:
        found, failure = scraped(idle)
    assert found is None
    assert failure == "no controller leads"


def test_a_controller_that_is_away_is_a_failure_that_names_it() -> None:
    url = f"http://127.0.0.1:{free_port()}/metrics"
    found, failure = scraped(url)
    assert found is None
    assert failure.startswith(f"{url}: ")
    assert scraped()[1] == "no URL is given"
    assert "metrics" in scraped("htp:/metrics")[1]


def test_one_that_trickles_is_given_up_in_time() -> None:
    over = threading.Event()

    def trickle(request: BaseHTTPRequestHandler) -> None:
        request.send_response(200)
        request.end_headers()
        while not over.wait(0.02):
            try:
                request.wfile.write(b"# ")
                request.wfile.flush()
            except OSError:
                return

    with serving(trickle) as url:
        began = time.monotonic()
        found, failure = scraped(url, timeout_s=0.3)
        over.set()
    assert found is None
    assert time.monotonic() - began < 5
    assert failure == f"{url}: no whole page within 0.3 s"


def test_one_that_never_answers_is_given_up_in_time() -> None:
    with socket.create_server(("127.0.0.1", 0)) as mute:
        _, failure = scraped(f"http://127.0.0.1:{mute.getsockname()[1]}/metrics", timeout_s=0.2)
    assert "no whole page within 0.2 s" in failure


@pytest.mark.parametrize(
    ("status", "body", "said"),
    [(500, b"trouble", "answers 500"), (404, b"", "answers 404"),
     (200, b"<html>", "is no page of a prewire controller"),
     (200, b"", "is no page of a prewire controller")],
)  # fmt: skip
def test_what_is_no_page_is_a_failure(status: int, body: bytes, said: str) -> None:
    def answer(request: BaseHTTPRequestHandler) -> None:
        request.send_response(status)
        request.send_header("Content-Length", str(len(body)))
        request.end_headers()
        request.wfile.write(body)

    with serving(answer) as url:
        found, failure = scraped(url)
    assert found is None
    assert said in failure


def test_it_keeps_its_pace_and_goes_on_when_the_controller_comes_back() -> None:
    page = f'{LEADER_EPOCH} 1.0\n{INFLIGHT}{{service="web",container="c1"}} 2\n'.encode()
    asked: list[float] = []

    def answer(request: BaseHTTPRequestHandler) -> None:
        asked.append(time.monotonic())
        is_down = 3 <= len(asked) <= 5
        request.send_response(503 if is_down else 200)
        request.send_header("Content-Length", str(len(page)))
        request.end_headers()
        request.wfile.write(page)

    async def run(url: str) -> list[Scraped]:
        scraper, stop, heard = Scraper([url]), asyncio.Event(), list[Scraped]()

        def hear(found: Scraped) -> None:
            heard.append(found)
            if len(heard) == 5:
                stop.set()

        await asyncio.wait_for(scraper.run(0.1, hear, stop), 60)
        await scraper.close()
        return heard

    with serving(answer) as url:
        heard = asyncio.run(run(url))
    assert len(asked) == 8
    assert len(heard) == 5
    # six pauses of a tenth of a second, and after the third failure in a row one of eight tenths
    assert asked[-1] - asked[0] > 1.0
