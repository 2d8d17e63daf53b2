"""The running API against its own OpenAPI description, with requests that nobody thought of.

No switch is known, so that `?wait=applied` never waits.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.switch.rest_server import RestServer, serving

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # of libraries that it brings along
    import schemathesis
    from schemathesis import checks
    from schemathesis.core.result import Ok
    from schemathesis.specs.openapi import checks as openapi_checks

EXAMPLES = 15

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
    with serving(switch=False) as up:
        up.put("/v1/services/web", vip="10.0.0.100", port=80)
        yield up


def test_answers_are_as_described(server: RestServer, subtests: pytest.Subtests) -> None:
    description = schemathesis.openapi.from_url(f"{server.settings.api_url}/openapi.json")
    for found in description.get_all_operations():
        assert isinstance(found, Ok), found
        operation = found.ok()
        with subtests.test(operation.label):
            _examine(operation)


def _examine(operation: schemathesis.APIOperation[Any, Any, Any, Any]) -> None:
    """Requests as described and requests that are not."""
    modes = list(schemathesis.GenerationMode)
    cases = [operation.as_strategy(generation_mode=mode) for mode in modes]

    @settings(
        max_examples=EXAMPLES,
        deadline=None,
        derandomize=True,
        database=None,
        suppress_health_check=list(HealthCheck),
    )
    @given(case=st.one_of(cases))
    def examine(case: schemathesis.Case[Any]) -> None:
        case.call_and_validate(checks=CHECKS)

    examine()


def test_every_route_is_described(server: RestServer) -> None:
    paths = server.http.get("/openapi.json").json()["paths"]
    assert {
        "/v1/services", "/v1/services/{name}", "/v1/services/{name}/containers",
        "/v1/services/{name}/containers/{container_id}", "/v1/status", "/v1/switches",
        "/v1/switches/{dpid}", "/v1/switches/{dpid}/diff", "/v1/explain/packet",
        "/v1/explain/flow", "/v1/services/{name}/slots", "/v1/demand", "/v1/reports",
        "/v1/services/{name}/containers/{container_id}/renew",
        "/v1/services/{name}/containers/{container_id}/report", "/v1/links", "/v1/hosts",
        "/v1/hosts/{mac}", "/v1/topology", "/v1/adopt", "/v1/classes", "/v1/classes/{name}",
        "/v1/policies", "/v1/policies/{name}", "/v1/link-rates", "/v1/bandwidth", "/v1/apply",
        "/v1/link-rates/{switch}/{port}", "/v1/traffic-presets",
    } <= set(paths)  # fmt: skip
    for path, methods in paths.items():
        for method, operation in methods.items():
            about = f"{method} {path}"
            assert operation["responses"]["4XX"]["content"]["application/problem+json"], about
            assert operation["responses"]["5XX"]["content"]["application/problem+json"], about
