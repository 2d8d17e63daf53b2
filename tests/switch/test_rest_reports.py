"""Reports over REST: bulk and single, bad ones, floods, and what the server counts of them."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx
import pytest

from nib.database import Nib
from nib.observed import Report
from tests.switch.rest_server import RestServer, problem, serving
from tests.waiting import had_s, until

WEB = "/v1/services/web"
BUSY = "/v1/services/busy"
CONTAINERS = 250
FLOOD = 10_000


@pytest.fixture(scope="module")
def server() -> Iterator[RestServer]:
    """With a service `web` of one container, and `busy` (least_inflight) of many."""
    with serving() as up:
        made(up.put(WEB, vip="10.0.0.100", port=80))
        made(up.put(f"{WEB}/containers/c1", address="10.0.0.11", port=80, iface_id="web-1"))
        made(up.put(BUSY, vip="10.0.0.101", port=80, policy="least_inflight"))
        for number in range(CONTAINERS):
            made(up.put(f"{BUSY}/containers/c{number}", address=f"10.0.1.{number}", port=80,
                        iface_id="web-2"))  # fmt: skip
        yield up


def made(answer: httpx.Response) -> None:
    assert answer.status_code == 201, answer.text


def counters(server: RestServer) -> dict[str, float]:
    """The server's metrics about reports."""
    text = server.http.get("/metrics").raise_for_status().text
    lines = [line for line in text.splitlines() if line.startswith("prewire_report")]
    return {name: float(value) for name, _, value in (line.rpartition(" ") for line in lines)}


def result(name: str) -> str:
    return f'prewire_reports_total{{result="{name}"}}'


def post(server: RestServer, *reports: dict[str, Any]) -> httpx.Response:
    return server.http.post("/v1/reports", json={"reports": reports})


def report_of(server: RestServer, path: str) -> Any:
    return server.http.get(path).raise_for_status().json()["report"]


def test_a_report_is_written_within_a_tick_or_so(server: RestServer) -> None:
    c1 = f"{WEB}/containers/c1"
    answer = server.put(f"{c1}/report", words="50% maxconn:8", inflight=3)
    assert (answer.status_code, answer.json()["accepted"]) == (202, 1)
    wanted = {"percent": 50, "max_inflight": 8, "word": "", "inflight": 3}
    until(lambda: report_of(server, c1), lambda seen: seen == wanted, "the report is shown")
    assert server.put(f"{c1}/report", words="drain").status_code == 202
    until(lambda: report_of(server, c1)["word"], lambda word: word == "drain", "it drains")
    assert server.http.get(c1).json()["state"] == "draining"
    assert server.put(f"{c1}/report", words="ready 100%").status_code == 202
    until(lambda: server.http.get(c1).json()["state"], lambda s: s == "ready", "it is ready")


def test_bad_reports_keep_no_other_back_and_are_counted(server: RestServer) -> None:
    before, generation = counters(server), server.generation()
    answer = post(
        server,
        {"service": "web", "container": "c9", "words": "50%"},
        {"service": "none", "container": "c1", "words": "50%"},
        {"service": "web", "container": "c1", "words": "fly"},
        {"service": "web", "container": "c1", "words": "101%"},
        {"service": "web", "container": "c1"},
        {"service": "web", "container": "c1", "inflight": -1},
        {"service": "busy", "container": "c7", "words": "maxconn:77"},
    )
    assert answer.status_code == 202
    told = answer.json()
    assert (told["accepted"], told["dropped"]) == (1, 6)
    assert [(each["item"], each["field"]) for each in told["problems"]] == [
        (0, "container"), (1, "service"), (2, "words"), (3, "words"), (4, "words"), (5, "inflight"),
    ]  # fmt: skip
    assert all(each["message"] and each["remedy"] for each in told["problems"])
    after = counters(server)
    grown = {name: after[name] - before[name] for name in after}
    assert grown[result("accepted")] == 1
    assert grown[result("unknown")] == 2
    assert grown[result("malformed")] == 4
    assert server.generation() == generation, "reports are no intent"


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({}, "reports"),
        ({"reports": {}}, "reports"),
        ({"reports": [7]}, "reports[0]"),
        ({"reports": [{"service": "web"}]}, "reports[0].container"),
        ({"reports": [{"service": "web", "container": "c1", "word": "up"}]}, "reports[0].word"),
        (
            {"reports": [{"service": "web", "container": "c1", "inflight": "7"}]},
            "reports[0].inflight",
        ),
        ({"reports": [{"service": "web", "container": "c1"}] * (FLOOD + 1)}, "reports"),
    ],
)
def test_reports_of_another_shape(server: RestServer, body: dict[str, Any], field: str) -> None:
    answer = server.http.post("/v1/reports", json=body)
    assert problem(answer, 422)["field"] == field


def test_one_report_that_cannot_be_taken(server: RestServer) -> None:
    c1 = f"{WEB}/containers/c1/report"
    assert problem(server.put(c1, words="fly"), 422)["field"] == "words"
    assert problem(server.put(c1), 422)["field"] == "words"
    assert problem(server.put(c1, inflight=10**9), 422)["field"] == "inflight"
    unknown = server.put(f"{WEB}/containers/c9/report", words="50%")
    assert "web/c9" in problem(unknown, 404)["detail"]


def test_ten_thousand_reports_at_once(server: RestServer) -> None:
    """All are accepted, the newest of each container is written, and others are served."""
    before, began = counters(server), time.monotonic()
    reports = [
        {"service": "busy", "container": f"c{n % CONTAINERS}", "inflight": n} for n in range(FLOOD)
    ]
    batches = [reports[n : n + 500] for n in range(0, FLOOD, 500)]
    with ThreadPoolExecutor(2) as pool, httpx.Client(base_url=server.settings.api_url) as other:
        answers = [pool.submit(post, server, *batch) for batch in batches]
        slowest = 0.0
        while not all(answer.done() for answer in answers):
            asked = had_s()
            assert other.get(WEB).status_code == 200
            slowest = max(slowest, had_s() - asked)
    assert sum(answer.result().json()["accepted"] for answer in answers) == FLOOD
    assert slowest < 5.0, f"another request took {slowest:.3f} s"
    with Nib(server.settings.nib_remote, "test") as nib:
        done = nib.when(
            lambda view: all(
                (found := view.get(Report, ("busy", f"c{n}"))) is not None
                and found.inflight is not None
                and found.inflight >= FLOOD - CONTAINERS - 1000
                for n in range(CONTAINERS)
            )
        )
        done.result(60)
    took_all = time.monotonic() - began
    after = counters(server)
    assert after[result("accepted")] - before[result("accepted")] == FLOOD
    writes = after["prewire_report_writes_total"] - before["prewire_report_writes_total"]
    assert 1 <= writes <= took_all / 0.05 + 2, f"{writes:g} transactions in {took_all:.2f} s"


def test_more_than_the_limit_is_refused_and_counted(server: RestServer) -> None:
    """A request of as many as one may hold, again and again, as fast as it goes."""
    before = counters(server)
    reports = [{"service": "web", "container": "c1", "inflight": 1}] * FLOOD
    content = httpx.Request("POST", "http://x", json={"reports": reports}).content
    headers = {"content-type": "application/json"}

    def send(_: int) -> httpx.Response:
        return server.http.post("/v1/reports", content=content, headers=headers)

    with ThreadPoolExecutor(4) as pool:
        answers = list(pool.map(send, range(12)))
    refused = [answer for answer in answers if answer.status_code != 202]
    for answer in refused:
        assert problem(answer, 429)["field"] == "reports"
        assert int(answer.headers["retry-after"]) >= 1
    after = counters(server)
    dropped = after[result("dropped")] - before[result("dropped")]
    accepted = after[result("accepted")] - before[result("accepted")]
    assert dropped == FLOOD * len(refused)
    assert accepted == FLOOD * (len(answers) - len(refused))


def test_metrics_are_as_prometheus_wants_them(server: RestServer) -> None:
    answer = server.http.get("/metrics")
    assert answer.status_code == 200
    assert answer.headers["content-type"].startswith("text/plain")
    server.http.get("/nowhere")
    text = server.http.get("/metrics").text
    assert 'method="none",route="none",status="4xx"' in text
    assert 'method="PUT",route="/v1/services/{name}",status="2xx"' in text
    linted = subprocess.run(
        ["promtool", "check", "metrics"], input=text, text=True, capture_output=True, check=False
    )
    assert (linted.returncode, linted.stderr) == (0, ""), linted
    assert server.http.get("/metrics/").status_code == 404


def test_reports_wait_while_the_database_is_away() -> None:
    """The newest of what came meanwhile is written when it is back."""
    with serving() as up:
        made(up.put(WEB, vip="10.0.0.100", port=80))
        c1 = f"{WEB}/containers/c1"
        made(up.put(c1, address="10.0.0.11", port=80, iface_id="web-1"))
        up.database.stop()
        for words in ("90%", "drain", "80%"):
            assert up.put(f"{c1}/report", words=words).status_code == 202
        up.database.start()
        until(
            lambda: report_of(up, c1),
            lambda seen: seen is not None and (seen["percent"], seen["word"]) == (80, "drain"),
            "the newest report is written",
        )
