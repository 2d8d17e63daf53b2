"""Rates from pages, and what is told of them."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import httpx
import pytest
from fastapi import FastAPI

from predictor.series.scrape import Page, Parser
from prewire.api import problems, readings_routes
from prewire.readings import told
from prewire.readings.late_desk import LateDesk
from prewire.readings.rates import Rates
from prewire.readings.told import Now
from prewire.readings.wanted import WANTED

SENT = "prewire_port_transmit_bytes_total"
NEW = "prewire_service_new_connections_total"
PORT = ("1", "p1")


def page(*lines: str) -> Page:
    return Parser(WANTED).parse("".join(f"prewire_{line}\n" for line in lines).encode())


def port(sent: float, read_at: float, switch: str = "1") -> tuple[str, ...]:
    return (
        f'port_transmit_bytes_total{{switch="{switch}",port="p1"}} {sent}',
        f'switch_read_timestamp_seconds{{switch="{switch}"}} {read_at}',
    )


def rates_after(*pages: tuple[float, Page]) -> Rates:
    rates = Rates()
    for at, each in pages:
        rates.read(each, at)
    return rates


def test_a_rate_is_over_the_time_between_the_readings_of_the_switch() -> None:
    rates = rates_after(
        (100.9, page(*port(1000, 100))),
        (105.1, page(*port(6000, 105))),
        (106, page(*port(6000, 105))),
    )
    assert rates.of(SENT, 106) == {PORT: 1000.0}


def test_a_counter_that_was_read_once_has_no_rate() -> None:
    rates = rates_after((101, page(*port(1000, 100))), (102, page(*port(1000, 100))))
    assert rates.of(SENT, 102) == {}


def test_a_counter_that_starts_again_has_no_rate_until_it_was_read_once_more() -> None:
    pages = [(100, page(*port(9000, 100))), (105, page(*port(10, 105)))]
    assert rates_after(*pages).of(SENT, 105) == {}
    assert rates_after(*pages, (110, page(*port(60, 110)))).of(SENT, 110) == {PORT: 10.0}


def test_what_was_not_read_for_long_has_no_rate() -> None:
    rates = rates_after((100, page(*port(0, 100))), (105, page(*port(50, 105))))
    assert rates.of(SENT, 134) == {PORT: 10.0}
    assert rates.of(SENT, 136) == {}


def test_series_may_come_and_go() -> None:
    both = (*port(10, 100), *port(20, 100, "2"))
    rates = rates_after(
        (100, page(*both)),
        (105, page(*port(70, 105, "2"), *port(5, 105, "3"))),
        (110, page(*port(5, 110, "3"), *port(120, 110, "2"), *port(0, 110))),
    )
    assert rates.of(SENT, 110) == {("2", "p1"): 10.0, ("3", "p1"): 0.0}


def test_counters_of_all_switches_are_read_when_the_last_switch_is() -> None:
    def seen(new: int, *read_at: float) -> Page:
        at = [f'switch_read_timestamp_seconds{{switch="{n}"}} {t}' for n, t in enumerate(read_at)]
        return page(f'service_new_connections_total{{service="web"}} {new}', *at)

    rates = rates_after(
        (101, seen(0, 100, 100.1)), (105, seen(30, 105.1, 100.1)), (106, seen(50, 105, 105.1))
    )
    assert rates.of(NEW, 106) == {("web",): 10.0}


WHOLE = (
    'link_rate_bps{switch="1",port="p1"} 1e9',
    'service_containers{service="web",state="ready"} 2',
    'service_containers{service="web",state="failed"} 0',
    'service_panic{service="web"} 1',
    'container_state{service="web",container="c1",state="ready"} 1',
    'container_state{service="web",container="c1",state="failed"} 0',
    'container_inflight{service="web",container="c1"} 3',
    'container_inflight{service="web",container="c2"} NaN',
    'policy_state{policy="p",state="active"} 1',
    'policy_limit_bps{policy="p",switch="1"} 100',
    'policy_limit_bps{policy="p",switch="2"} 200',
)


def moving(second: int) -> Page:
    """A page whose counters grow by 10 a second."""
    count = 10 * second
    return page(
        *WHOLE,
        *port(count, second),
        f'switch_read_timestamp_seconds{{switch="2"}} {second}',
        f'policy_passed_bytes_total{{policy="p",switch="1"}} {count}',
        f'policy_passed_bytes_total{{policy="p",switch="2"}} {count}',
        f'service_bytes_total{{service="web",direction="to"}} {count}',
        f'queue_bytes_total{{switch="1",port="p1",queue="2",class="bulk"}} {count}',
    )


def test_objects_are_told_with_rates_and_amounts() -> None:
    rates = rates_after((1, moving(1)), (2, moving(2)))
    now = Now(moving(2), rates, 2)
    [link] = [each.model_dump() for each in told.links(now)]
    assert (link["transmit_bps"], link["rate_bps"], link["free_bps"]) == (80, 1e9, None)
    [service] = [each.model_dump() for each in told.services(now)]
    assert (service["to_bps"], service["new_connections_per_s"]) == (80, 0)
    assert (service["inflight"], service["panic"]) == (3, True)
    assert service["containers"] == {"ready": 2, "failed": 0}
    [container] = [each.model_dump() for each in told.containers(now)]
    assert (container["state"], container["inflight"], container["slots"]) == ("ready", 3, None)
    [policy] = [each.model_dump() for each in told.policies(now)]
    assert (policy["state"], policy["passed_bps"]) == ("active", 160)
    assert (policy["limit_bps"], policy["dropped_bps"]) == (300, 0)
    [queue] = [each.model_dump(by_alias=True) for each in told.queues(now)]
    assert (queue["queue"], queue["class"], queue["bps"]) == (2, "bulk", 80)


def test_a_page_that_makes_no_sense_is_no_error() -> None:
    odd = page(
        'queue_bytes_total{switch="1",port="p1",queue="x",class="bulk"} 1',
        'service_containers{service="web",state="ready"} +Inf',
        'container_state{service="",container="",state=""} 1',
        'policy_limit_bps{policy="p"} NaN',
        'switch_read_timestamp_seconds{switch="1"} NaN',
        'port_transmit_bytes_total{switch="1"} nonsense',
        'port_transmit_bytes_total{switch="1",port="p1"} -5',
    )
    now = Now(odd, rates_after((1, odd), (2, odd)), 2)
    rows = {kind: read(now) for kind, read in told.READERS.items()}
    assert rows["queues"] == rows["policies"] == []
    assert all(row.model_dump_json() for each in rows.values() for row in each)


def test_before_any_rate_is_known_none_is_told() -> None:
    now = Now(moving(1), rates_after((1, moving(1))), 1)
    [service] = [each.model_dump() for each in told.services(now)]
    assert service["to_bps"] is service["new_connections_per_s"] is None


@contextmanager
def controller(text: Callable[[], str | None]) -> Iterator[tuple[str, list[str]]]:
    """A page, 503 where there is none; and what was asked for."""
    asked: list[str] = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked.append(self.path)
            said = text()
            self.send_response(503 if said is None else 200)
            self.end_headers()
            self.wfile.write((said or "").encode())

        def log_message(self, *_: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, args=(0.02,))
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/metrics", asked
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def answers(url: str, *queries: str) -> list[httpx.Response]:
    """What the route answers, asked at once."""

    async def ask() -> list[httpx.Response]:
        desk = LateDesk([url])
        app = FastAPI()
        problems.install(app)
        app.include_router(readings_routes.router(desk))
        transport = httpx.ASGITransport(app=app)
        async with httpx.AsyncClient(transport=transport, base_url="http://x") as client:
            asked = [client.get(f"/v1/readings{query}") for query in queries]
            found = await asyncio.gather(*asked)
        await desk.close()
        return found

    return asyncio.run(ask())


def test_however_many_ask_the_controller_is_asked_once_a_second() -> None:
    with controller(lambda: "\n".join(f"prewire_{line}" for line in WHOLE)) as (url, asked):
        found = answers(url, *[""] * 20, "?kinds=services")
    assert len(asked) == 1
    assert {each.status_code for each in found} == {200}
    whole = found[0].json()
    assert whole["stale"] is False
    assert whole["at_ms"] > 0
    assert [each["service"] for each in whole["services"]] == ["web"]
    assert set(found[-1].json()) == {"at_ms", "stale", "failure", "services"}


def test_where_the_controller_is_away_readings_are_stale_and_say_why() -> None:
    with controller(lambda: None) as (url, _):
        [found] = answers(url, "")
    said = found.json()
    assert found.status_code == httpx.codes.OK
    assert (said["stale"], said["at_ms"], said["links"]) == (True, 0, [])
    assert "503" in said["failure"]


@pytest.mark.parametrize("kinds", ["", "links,", "link", "links;services"])
def test_a_kind_that_is_none_is_refused(kinds: str) -> None:
    [found] = answers("http://127.0.0.1:1/metrics", f"?kinds={kinds}")
    assert found.status_code == httpx.codes.UNPROCESSABLE_ENTITY
    assert found.json()["field"] == "kinds"
    assert "links" in found.json()["remedy"]
