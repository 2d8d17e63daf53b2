"""What users see of real processes: readings, dashboards, alerts, exemplars, logs, `top`."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from collections.abc import Iterator
from typing import Any, Final

import httpx
import pytest
import yaml

from prewire.docs.dashboards import DASHBOARDS
from tests import commands
from tests.needs import need, need_ovs
from tests.switch.controlled import CLIENT_PORT, DPID
from tests.switch.observed_site import RULES, Observed, observed
from tests.waiting import until

# In what a query says: Grafana's variables, and what Grafana puts for them.
_VARIABLES: Final = {"$__rate_interval": "30s", "$service": ".*", "$switch": ".*", "$policy": ".*"}

QUERIES: Final = {
    f"{dashboard.title}: {panel.title} {place}": expr
    for dashboard in DASHBOARDS
    for panel in dashboard.panels
    for place, (expr, _) in enumerate(panel.queries)
}
# Queries of what has not happened here: nobody was prewarmed, refused, ejected or left out.
_NOTHING_YET: Final = re.compile(
    "prewarm|refused|demand_packets|ejections|lease|resets|queue_|state!=|guaranteed_bps|"
    "planned_rate|policy_connections|error_ratio|coverage|refits|dependencies|lldp|repaired|"
    "punted|told|station|slot_moves|watch_events|reports|tick_failures|short"
)


@pytest.fixture(scope="module")
def site() -> Iterator[Observed]:
    need_ovs()
    with observed() as running:
        yield running


def readings(site: Observed) -> Any:
    return site.http.get("/v1/readings").raise_for_status().json()


def is_counted(seen: Any) -> bool:
    web = next((each for each in seen["services"] if each["service"] == "web"), None)
    return bool(web and web["new_connections_per_s"] and seen["policies"][0]["passed_bps"])


def test_readings_are_the_rates_and_states_of_the_switch(site: Observed) -> None:
    seen = until(lambda: readings(site), is_counted, "connections are counted")
    services = {each["service"]: each for each in seen["services"]}
    assert seen["stale"] is False
    assert services["web"]["containers"]["ready"] == 2
    assert services["web"]["inflight"] == 3
    assert services["idle"]["new_connections_per_s"] == 0
    states = {each["container"]: each["state"] for each in seen["containers"]}
    assert states == {"c2": "ready", "c3": "ready"}
    shares = [each["new_connections_per_s"] for each in seen["containers"]]
    assert sum(shares) == pytest.approx(services["web"]["new_connections_per_s"], rel=0.3)
    ends = {(each["switch"], each["port"]): each for each in seen["links"]}
    assert ends[DPID, CLIENT_PORT]["receive_bps"] > 0
    assert ends[DPID, CLIENT_PORT]["rate_bps"] == 1_000_000_000
    [policy] = seen["policies"]
    assert (policy["state"], policy["max_bps"]) == ("active", 10_000_000)
    assert policy["dropped_bps"] == 0


def test_top_shows_the_busiest(site: Observed) -> None:
    api = ("--api", site.settings.api_url)
    shown = commands.run_here("top", "--once", *api)
    assert shown.returncode == 0, shown.stderr
    web = next(line for line in shown.stdout.splitlines() if line.startswith("web"))
    assert web.split()[1] == "2/2"
    assert float(web.split()[3]) > 0
    assert re.search(r"^br0 +p1 ", shown.stdout, re.M)
    told = json.loads(commands.run_here("top", "policies", "--once", "-o", "json", *api).stdout)
    assert [each["policy"] for each in told["policies"]] == ["first"]
    assert "services" not in told


def asked_of(site: Observed, expr: str) -> list[Any]:
    """What a dashboard's query finds now."""
    for name, value in _VARIABLES.items():
        expr = expr.replace(name, value)
    assert "$" not in expr, expr
    return site.query(expr)


def test_every_query_of_the_dashboards_finds_what_it_asks_for(site: Observed) -> None:
    def without() -> list[str]:
        """Queries that find nothing though there is something to find."""
        site.http.get("/v1/services")
        found = {title: asked_of(site, expr) for title, expr in QUERIES.items()}
        return [t for t in found if not found[t] and not _NOTHING_YET.search(QUERIES[t])]

    until(without, lambda missing: not missing, "every query finds something", 40)


def test_every_alert_can_be_evaluated(site: Observed) -> None:
    answer = site.prometheus.get("/api/v1/rules").raise_for_status()
    rules = [rule for group in answer.json()["data"]["groups"] for rule in group["rules"]]
    stated = [r for group in yaml.safe_load(RULES.read_text())["groups"] for r in group["rules"]]
    assert {rule["name"] for rule in rules} == {rule["alert"] for rule in stated}
    for rule in stated:
        site.query(rule["expr"])


@pytest.mark.parametrize("process", ["controller", "api", "predictor"])
@pytest.mark.parametrize("form", ["text/plain", "application/openmetrics-text"])
def test_a_page_of_metrics_is_as_prometheus_has_it(site: Observed, process: str, form: str) -> None:
    need(shutil.which("promtool") is not None, "promtool is missing (apt-get install prometheus)")
    page = httpx.get(site.pages[process], headers={"Accept": form}).raise_for_status()
    assert page.headers["content-type"].startswith(form)
    if form == "text/plain":
        done = subprocess.run(
            ["promtool", "check", "metrics"], input=page.content, capture_output=True, check=False
        )
        assert done.returncode == 0, done.stdout + done.stderr
    else:
        assert page.text.endswith("# EOF\n")


def test_a_request_is_found_again_in_an_exemplar(site: Observed) -> None:
    chosen = {"X-Request-Id": "slow-one"}
    answer = site.http.get("/v1/policies/first", headers=chosen)
    assert answer.headers["x-request-id"] == "slow-one"

    def exemplars() -> list[Any]:
        query = {
            "query": "prewire_http_request_duration_seconds_bucket",
            "start": "0",
            "end": "9999999999",
        }
        found = site.prometheus.get("/api/v1/query_exemplars", params=query).json()["data"]
        return [one["labels"]["request_id"] for each in found for one in each["exemplars"]]

    until(exemplars, lambda seen: "slow-one" in seen, "the request's id is an exemplar")


@pytest.mark.parametrize("process", ["controller", "api", "predictor"])
def test_every_line_of_the_log_is_an_object_with_time_level_and_process(
    site: Observed, process: str
) -> None:
    lines = until(lambda: site.lines(process), bool, "it logged something")
    for line in lines:
        assert line["process"] == process
        assert line["level"] in {"debug", "info", "warning", "error"}
        assert re.fullmatch(r"\d{4}-\d\d-\d\dT[\d:.]+\+00:00", line["time"])
        assert line["event"]
        assert line["logger"]


def test_a_request_is_found_again_in_the_logs_of_other_processes(site: Observed) -> None:
    """A change in the controller's line of its generation and in the event; a question to the
    predictor in the line of the call."""
    site.http.put(
        "/v1/policies/second",
        json={"source": "web", "max_bps": 1_000_000},
        params={"wait": "applied"},
        headers={"X-Request-Id": "my-change"},
    ).raise_for_status()
    site.http.get("/v1/forecasts/web", headers={"X-Request-Id": "my-question"})

    def named(process: str, request: str) -> list[str]:
        lines = [each for each in site.lines(process) if each.get("request") == request]
        return [str(each["event"]) for each in lines]

    [applied] = until(lambda: named("controller", "my-change"), bool, "the controller names it")
    assert "applied generation" in applied
    [call] = until(lambda: named("predictor", "my-question"), bool, "the predictor names it")
    assert "GetForecast" in call
    events = site.http.get("/v1/events", params={"kind": "policy"}).raise_for_status().json()
    assert events["items"][0]["request"] == "my-change"
