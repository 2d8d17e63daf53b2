"""The drivers of Knative and Kubernetes, through the official client, against the API's rules."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Iterator
from typing import Any, Final

import pytest

from predictor.outward.drivers import knative
from predictor.outward.drivers.contract import DriverError, parse_target
from predictor.outward.drivers.knative import BEFORE, MAX_SCALE, MIN_SCALE, KnativeDriver
from predictor.outward.drivers.kube import KubeApi
from predictor.outward.drivers.kubernetes import KubernetesDriver
from tests.predictor.kube_api import SERVING, TOKEN, KubeServer, kube_server

SHOP: Final = parse_target("knative:default/shop")
DEPLOYMENT: Final = parse_target("kubernetes:default/deployment/shop")


@pytest.fixture
def server() -> Iterator[KubeServer]:
    with kube_server() as server:
        yield server


def api(server: KubeServer, token: str = TOKEN) -> KubeApi:
    from kubernetes import client

    configuration = client.Configuration(
        host=server.url,
        api_key={"authorization": token},
        api_key_prefix={"authorization": "Bearer"},
    )
    configuration.retries = 0
    return KubeApi(client.ApiClient(configuration))


def with_knative(
    server: KubeServer, act: Callable[[KnativeDriver], Coroutine[Any, Any, None]]
) -> None:
    async def run() -> None:
        driver = KnativeDriver(api(server))
        try:
            await act(driver)
        finally:
            await driver.close()

    asyncio.run(run())


def test_the_latest_ready_revision_alone_gets_the_min_scale(server: KubeServer) -> None:
    server.knative("shop", "shop-2", **{"shop-1": {}, "shop-2": {"other": "stays"}})
    with_knative(server, lambda driver: driver.scale(SHOP, 5))
    assert server.annotations("shop-2") == {MIN_SCALE: "5", BEFORE: "", "other": "stays"}
    assert server.annotations("shop-1") == {}


def test_a_revision_without_any_annotation_gets_its_first(server: KubeServer) -> None:
    server.knative("shop", "shop-1", **{"shop-1": None})
    with_knative(server, lambda driver: driver.scale(SHOP, 5))
    assert server.annotations("shop-1") == {MIN_SCALE: "5", BEFORE: ""}


@pytest.mark.parametrize("before", [{}, {"other": "stays"}, {MIN_SCALE: "2"}])
def test_giving_control_back_restores_what_was_there(
    server: KubeServer, before: dict[str, str]
) -> None:
    server.knative("shop", "shop-1", **{"shop-1": dict(before)})

    async def act(driver: KnativeDriver) -> None:
        await driver.scale(SHOP, 5)
        await driver.scale(SHOP, 8)
        assert server.annotations("shop-1")[MIN_SCALE] == "8"
        await KnativeDriver(api(server)).release(SHOP)  # another predictor, after a restart

    with_knative(server, act)
    assert server.annotations("shop-1") == before


def test_a_plan_of_no_containers_gives_control_back(server: KubeServer) -> None:
    server.knative("shop", "shop-1", **{"shop-1": {}})

    async def act(driver: KnativeDriver) -> None:
        await driver.scale(SHOP, 5)
        await driver.scale(SHOP, 0)

    with_knative(server, act)
    assert server.annotations("shop-1") == {}


def test_a_plan_never_goes_below_the_users_min_scale_nor_above_the_max_scale(
    server: KubeServer,
) -> None:
    server.knative("shop", "shop-1", **{"shop-1": {MIN_SCALE: "3", MAX_SCALE: "10"}})

    async def act(driver: KnativeDriver) -> None:
        await driver.scale(SHOP, 1)
        assert server.annotations("shop-1")[MIN_SCALE] == "3"
        await driver.scale(SHOP, 50)
        assert server.annotations("shop-1")[MIN_SCALE] == "10"

    with_knative(server, act)


def test_a_new_revision_takes_over_and_the_old_one_is_given_back(server: KubeServer) -> None:
    server.knative("shop", "shop-1", **{"shop-1": {}})

    async def act(driver: KnativeDriver) -> None:
        await driver.scale(SHOP, 5)
        server.knative("shop", "shop-2", **{"shop-2": {}})
        await driver.scale(SHOP, 6)

    with_knative(server, act)
    assert server.annotations("shop-1") == {}
    assert server.annotations("shop-2")[MIN_SCALE] == "6"


def test_what_is_as_wanted_is_not_written_again(server: KubeServer) -> None:
    server.knative("shop", "shop-1", **{"shop-1": {}})

    async def act(driver: KnativeDriver) -> None:
        await driver.scale(SHOP, 5)
        await driver.scale(SHOP, 5)
        await driver.scale(SHOP, 5)

    with_knative(server, act)
    assert server.patches == 1


def test_a_knative_that_does_not_heed_the_annotation_is_a_problem_that_says_so(
    server: KubeServer,
) -> None:
    server.carries_over = False
    server.knative("shop", "shop-1", **{"shop-1": {}})

    async def act(driver: KnativeDriver) -> None:
        await driver.scale(SHOP, 5)
        with pytest.raises(DriverError, match=r"does not heed .* of revision shop-1; use Knative"):
            await driver.scale(SHOP, 5)

    with_knative(server, act)


def test_a_change_that_another_made_meanwhile_is_not_overwritten(server: KubeServer) -> None:
    server.knative("shop", "shop-1", **{"shop-1": {}})
    seen = {"metadata": {"name": "shop-1", "resourceVersion": "0"}}

    async def act(driver: KnativeDriver) -> None:
        with pytest.raises(DriverError) as error:
            await driver._patch("default", seen, knative.scaled(seen, 5))
        assert error.value.passing

    with_knative(server, act)
    assert (server.annotations("shop-1"), server.patches) == ({}, 0)


def test_a_service_without_a_ready_revision_is_tried_again(server: KubeServer) -> None:
    server.knative("shop", None)

    async def act(driver: KnativeDriver) -> None:
        with pytest.raises(DriverError, match="no ready revision") as error:
            await driver.scale(SHOP, 5)
        assert error.value.passing

    with_knative(server, act)


@pytest.mark.parametrize(
    ("code", "passing"),
    [
        *((code, False) for code in (400, 401, 403, 404)),
        *((code, True) for code in (409, 422, 429, 500, 503)),
    ],
)
def test_an_answer_of_the_api_says_whether_trying_again_helps(
    server: KubeServer, code: int, passing: bool
) -> None:
    server.deployment("shop")
    server.failing = [code]

    async def run() -> None:
        driver = KubernetesDriver(api(server))
        with pytest.raises(DriverError, match=f"deployments/shop: {code} .*failing") as error:
            await driver.scale(DEPLOYMENT, 3)
        assert error.value.passing is passing
        await driver.close()

    asyncio.run(run())


def test_a_deployment_is_scaled_up_and_down_to_zero_and_up_again(server: KubeServer) -> None:
    server.deployment("shop", 1)

    async def run() -> None:
        driver = KubernetesDriver(api(server))
        for containers in (4, 2, 0, 3):
            await driver.scale(DEPLOYMENT, containers)
            assert server.replicas("shop") == containers
        await driver.release(DEPLOYMENT)
        await driver.close()

    asyncio.run(run())
    assert server.replicas("shop") == 3


def test_an_object_that_is_not_there_or_of_no_kind_is_named(server: KubeServer) -> None:
    async def run() -> None:
        driver = KubernetesDriver(api(server))
        with pytest.raises(DriverError, match=r'deployments "shop" not found.*names its namespace'):
            await driver.scale(DEPLOYMENT, 1)
        with pytest.raises(DriverError, match="use one of deployment, statefulset, replicaset"):
            await driver.scale(parse_target("kubernetes:default/job/shop"), 1)
        await driver.close()

    asyncio.run(run())


def test_who_is_not_known_is_told_what_to_give(server: KubeServer) -> None:
    server.knative("shop", "shop-1", **{"shop-1": {}})

    async def run() -> None:
        with pytest.raises(DriverError, match=r"401.*give the predictor a service account"):
            await KnativeDriver(api(server, "wrong")).scale(SHOP, 1)

    asyncio.run(run())


def test_an_api_that_does_not_answer_is_tried_again() -> None:
    with kube_server() as server:
        pass

    async def run() -> None:
        with pytest.raises(DriverError, match="see that the API answers") as error:
            await KnativeDriver(api(server)).scale(SHOP, 1)
        assert error.value.passing

    asyncio.run(run())


def test_the_api_is_found_by_the_kubeconfig(
    server: KubeServer, tmp_path: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    server.deployment("shop")
    config = tmp_path / "kubeconfig"
    config.write_text(
        f"""
apiVersion: v1
kind: Config
current-context: test
clusters: [{{name: test, cluster: {{server: "{server.url}"}}}}]
users: [{{name: test, user: {{token: {TOKEN}}}}}]
contexts: [{{name: test, context: {{cluster: test, user: test}}}}]
"""
    )
    monkeypatch.delenv("KUBERNETES_SERVICE_HOST", raising=False)
    monkeypatch.setattr("kubernetes.config.kube_config.KUBE_CONFIG_DEFAULT_LOCATION", str(config))

    async def run() -> None:
        driver = KubernetesDriver()
        await driver.scale(DEPLOYMENT, 2)
        await driver.close()

    asyncio.run(run())
    assert server.replicas("shop") == 2


def test_revisions_of_other_services_are_left_alone(server: KubeServer) -> None:
    server.knative("shop", "shop-1", **{"shop-1": {}})
    server.knative("other", "other-1", **{"other-1": {MIN_SCALE: "4", BEFORE: "1"}})
    with_knative(server, lambda driver: driver.release(SHOP))
    assert server.annotations("other-1") == {MIN_SCALE: "4", BEFORE: "1"}
    assert all("patch" not in asked.lower() for asked in server.requests)
    assert SERVING.split("/")[0] in server.requests[0]
