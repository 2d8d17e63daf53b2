"""The files of deploy/ for Kubernetes fit what the drivers and the scaler do."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Coroutine
from pathlib import Path
from typing import Any, Final

import pytest
import yaml

from predictor.outward import keda
from predictor.outward.drivers.contract import parse_target
from predictor.outward.drivers.knative import KnativeDriver
from predictor.outward.drivers.kubernetes import KubernetesDriver
from tests.predictor.kube_api import KubeServer, kube_server
from tests.predictor.test_drivers_kubernetes import api

DEPLOY: Final = Path(__file__).parents[2] / "deploy"
_ASKED: Final = re.compile(
    r"(GET|PATCH) /apis/([^/]+)/[^/]+/namespaces/[^/]+/([a-z]+)(?:/([^/?]+))?(/scale)?"
)


def allowed(name: str) -> set[tuple[str, str, str]]:
    """(group, resource, verb) of the roles in a file."""
    documents = yaml.safe_load_all((DEPLOY / name).read_text("utf-8"))
    [role] = [each for each in documents if each["kind"] == "ClusterRole"]
    return {
        (group, resource, verb)
        for rule in role["rules"]
        for group in rule["apiGroups"]
        for resource in rule["resources"]
        for verb in rule["verbs"]
    }


def asked(server: KubeServer) -> set[tuple[str, str, str]]:
    """(group, resource, verb) of the requests that it had."""
    found = set()
    for text in server.requests:
        match = _ASKED.match(text)
        assert match, text
        method, group, plural, name, scale = match.groups()
        verb = "patch" if method == "PATCH" else "get" if name else "list"
        found.add((group, plural + (scale or ""), verb))
    return found


async def _knative(server: KubeServer) -> None:
    server.knative("shop", "shop-1", **{"shop-1": {}})
    driver = KnativeDriver(api(server))
    for _ in range(2):
        await driver.scale(parse_target("knative:default/shop"), 2)
    await driver.release(parse_target("knative:default/shop"))
    await driver.close()


async def _kubernetes(server: KubeServer) -> None:
    driver = KubernetesDriver(api(server))
    for plural in ("deployments", "statefulsets", "replicasets"):
        server.put("apps/v1", plural, "shop", spec={"replicas": 1})
        await driver.scale(parse_target(f"kubernetes:default/{plural[:-1]}/shop"), 2)
    await driver.close()


@pytest.mark.parametrize(
    ("file", "act"), [("knative/rbac.yaml", _knative), ("kubernetes/rbac.yaml", _kubernetes)]
)
def test_the_roles_allow_what_a_driver_asks_for_and_no_more(file: str, act: Any) -> None:
    with kube_server() as server:
        acting: Coroutine[Any, Any, None] = act(server)
        asyncio.run(acting)
        assert asked(server) == allowed(file)


def test_the_scaled_object_asks_as_the_scaler_answers() -> None:
    scaled, authentication = yaml.safe_load_all((DEPLOY / "keda" / "scaledobject.yaml").read_text())
    spec = scaled["spec"]
    [trigger] = spec["triggers"]
    assert trigger["type"] == "external-push"
    assert keda.METADATA in trigger["metadata"]
    assert trigger["metricType"] == "AverageValue"  # fallback is for that alone
    assert spec["fallback"]["behavior"] == "currentReplicas"
    assert spec["fallback"]["replicas"] != 0  # KEDA takes 0 for no fallback when IsActive fails
    parameters = {each["parameter"] for each in authentication["spec"]["secretTargetRef"]}
    assert parameters == {"caCert", "tlsClientCert", "tlsClientKey"}
