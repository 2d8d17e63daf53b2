"""The running API against its own OpenAPI description, with requests that nobody thought of.

The database has three of everything; what a controller would do is acknowledged at once.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from typing import Any, TypeAlias

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from nib.database import Nib
from nib.draft import Draft
from nib.topology import Switch
from tests.nib.rest_world import SWITCHES, peopled
from tests.switch.rest_server import RestServer, serving

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # of libraries that it brings along
    import schemathesis
    from schemathesis import checks
    from schemathesis.core.result import Ok
    from schemathesis.specs.openapi import checks as openapi_checks

Operation: TypeAlias = schemathesis.APIOperation[Any, Any, Any, Any]
Case: TypeAlias = schemathesis.Case[Any]

WRITES = 10  # examples of an operation that writes
READS = 4  # of one that reads: they have much in common
NAMED = 2  # of one whose path names something that is there
SECONDS = 30.0  # for one answer, on a machine that is busy

# What is there, for the parameters of a path.
THERE = {
    "/v1/services/": {"name": "web", "container_id": "web-1"},
    "/v1/policies/": {"name": "to-web"},
    "/v1/classes/": {"name": "bulk"},
    "/v1/schedules/": {"name": "noon-web"},
    "/v1/overrides/": {"kind": "service", "name": "web"},
    "/v1/dependencies/": {"parent": "web", "child": "shop"},
    "/v1/link-rates/": {"switch": SWITCHES[0], "port": "client"},
    "/v1/plans/services/": {"name": "web"},
    "/v1/plans/policies/": {"name": "to-web"},
    "/v1/prewarm-requests/": {"request_id": "7f33"},
    "/v1/switches/": {"dpid": SWITCHES[0]},
    "/v1/hosts/": {"mac": "02:00:00:01:00:01"},
}
# It takes a controller to answer this one.
AWAITS = "POST /v1/switches/{dpid}/diff"

CHECKS = [
    checks.not_a_server_error,
    openapi_checks.status_code_conformance,
    openapi_checks.content_type_conformance,
    openapi_checks.response_headers_conformance,
    openapi_checks.response_schema_conformance,
    openapi_checks.negative_data_rejection,
    openapi_checks.unsupported_method,
]


@pytest.fixture(scope="module")
def server() -> Iterator[RestServer]:
    with serving(switch=False) as up, Nib(up.settings.nib_remote, "world") as nib:
        nib.watch(lambda batch: nib.write(partial(acknowledged, batch.generation)))
        nib.write(peopled).result(60)
        yield up


def acknowledged(generation: int, draft: Draft) -> None:
    """Every switch has applied all, so that `?wait=applied` ends."""
    for switch in draft.all(Switch):
        if switch.applied < generation:
            draft.put(replace(switch, applied=generation))


def test_answers_are_as_described(server: RestServer, subtests: pytest.Subtests) -> None:
    description = schemathesis.openapi.from_url(f"{server.settings.api_url}/openapi.json")
    with Nib(server.settings.nib_remote, "seed") as nib:
        for found in description.get_all_operations():
            assert isinstance(found, Ok), found
            operation = found.ok()
            with subtests.test(operation.label):
                _examine(operation)
                nib.write(peopled).result(60)
                _examine_there(operation)


def _examine(operation: Operation) -> None:
    """Requests as described and requests that are not."""
    modes = list(schemathesis.GenerationMode)
    cases = [operation.as_strategy(generation_mode=mode) for mode in modes]
    _send(st.one_of(cases), READS if operation.method.upper() == "GET" else WRITES)


def _examine_there(operation: Operation) -> None:
    """Requests as described, about something that is there."""
    named = next((each for begin, each in THERE.items() if operation.path.startswith(begin)), None)
    if named is None or "{" not in operation.path or operation.label == AWAITS:
        return

    def about(case: Case) -> Case:
        case.path_parameters.update({name: named[name] for name in case.path_parameters})
        return case

    positive = operation.as_strategy(generation_mode=schemathesis.GenerationMode.POSITIVE)
    _send(positive.map(about), NAMED)


def _send(cases: st.SearchStrategy[Case], examples: int) -> None:
    @settings(
        max_examples=examples,
        deadline=None,
        derandomize=True,
        database=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(case=cases)
    def examine(case: Case) -> None:
        case.call_and_validate(checks=CHECKS, timeout=SECONDS)

    examine()


def test_every_route_is_described(server: RestServer) -> None:
    paths = server.http.get("/openapi.json").json()["paths"]
    assert {
        "/v1/services", "/v1/services/{name}", "/v1/services/{name}/containers",
        "/v1/services/{name}/containers/{container_id}", "/v1/status", "/v1/switches",
        "/v1/switches/{dpid}", "/v1/switches/{dpid}/diff", "/v1/events", "/v1/events/{event_id}",
        "/v1/containers", "/v1/explain/packet",
        "/v1/explain/flow", "/v1/services/{name}/slots", "/v1/demand", "/v1/reports",
        "/v1/services/{name}/containers/{container_id}/renew",
        "/v1/services/{name}/containers/{container_id}/report", "/v1/links", "/v1/hosts",
        "/v1/hosts/{mac}", "/v1/topology", "/v1/adopt", "/v1/classes", "/v1/classes/{name}",
        "/v1/policies", "/v1/policies/{name}", "/v1/link-rates", "/v1/bandwidth", "/v1/apply",
        "/v1/link-rates/{switch}/{port}", "/v1/traffic-presets", "/v1/scalings",
        "/v1/services/{name}/scaling", "/v1/provisionings", "/v1/policies/{name}/provisioning",
        "/v1/schedules", "/v1/schedules/{name}", "/v1/overrides", "/v1/overrides/{kind}/{name}",
        "/v1/dependencies", "/v1/dependencies/graph", "/v1/dependencies/{parent}/{child}",
        "/v1/plans", "/v1/plans/services/{name}", "/v1/plans/policies/{name}",
        "/v1/prewarm-requests", "/v1/prewarm-requests/{request_id}", "/v1/predictors",
        "/v1/prewarm-requests/{request_id}/accept", "/v1/forecasts/{name}", "/v1/series/{name}",
    } <= set(paths)  # fmt: skip
    for path, methods in paths.items():
        for method, operation in methods.items():
            about = f"{method} {path}"
            assert operation["responses"]["4XX"]["content"]["application/problem+json"], about
            assert operation["responses"]["5XX"]["content"]["application/problem+json"], about
