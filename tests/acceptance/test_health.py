"""Health: active checks from the switch, passive ejection, panic."""

from __future__ import annotations

import signal
import time

import pytest

from tests.acceptance.site import ON_OS_KEN, Site
from tests.waiting import until

pytestmark = [pytest.mark.root, ON_OS_KEN]

FAST = {"interval_ms": 300, "timeout_ms": 300, "rise": 1, "fall": 2}


def state_of(site: Site, name: str) -> str:
    return str(site.of_container(name)["state"])


def await_ready(site: Site, *names: str) -> None:
    """Return when the containers are ready and new connections reach each of them."""
    for name in names:
        await_state(site, name, "ready")
    until(lambda: site.get(20), lambda got: set(got) == set(names), f"{names} are reached", 60)


def await_state(site: Site, name: str, wanted: str, timeout_s: float = 60.0) -> None:
    until(lambda: state_of(site, name), lambda state: state == wanted, f"{name} is {wanted}",
          timeout_s)  # fmt: skip


@pytest.mark.parametrize("check", [{"kind": "tcp"}, {"kind": "http", "path": "/"}])
def test_a_container_takes_traffic_after_its_first_success(
    site: Site, check: dict[str, str]
) -> None:
    site.net.stop_server("c2")
    try:
        site.add_service(health={**FAST, **check})
        site.add("c1", "c2")
        await_ready(site, "c1")
        await_state(site, "c2", "down")
        assert site.get(20) == {"c1": 20}
    finally:
        site.net.start_server("c2")
    await_ready(site, "c1", "c2")


@pytest.mark.measures
def test_a_killed_container_gets_no_new_connection_after_a_second(site: Site) -> None:
    site.add_service(health={**FAST, "kind": "tcp"})
    site.add("c1", "c2", "c3")
    await_ready(site, "c1", "c2", "c3")
    site.net.stop_server("c2", signal.SIGKILL)
    try:
        time.sleep(1)
        answers = site.get(60)
        assert set(answers) == {"c1", "c3"}, answers
    finally:
        site.net.start_server("c2")


def test_a_check_of_a_wrong_port_says_why_nothing_comes(site: Site) -> None:
    site.add_service(health={**FAST, "kind": "http", "port": 9})
    site.add("c1")
    await_state(site, "c1", "down")
    shown = site.of_container("c1")
    assert "refused" in shown["reason"].lower(), shown["reason"]
    assert shown["slots"] == 0


def test_a_container_that_resets_connections_is_ejected(site: Site) -> None:
    site.add_service(ejection={"min_connections": 3, "window_ms": 500, "eject_ms": 8000})
    site.add("c1", "c2", "c3")
    site.net.stop_server("c3")
    try:
        until(
            lambda: (site.get(10), state_of(site, "c3"))[1],
            lambda state: state == "ejected",
            "the failing container is ejected",
            60,
        )
        site.await_slots({"c3": 0})
        assert set(site.get(20)) == {"c1", "c2"}
    finally:
        site.net.start_server("c3")
    await_state(site, "c3", "ready", 30)


def test_when_too_few_are_well_all_are_used(site: Site) -> None:
    site.add_service(health={**FAST, "kind": "tcp"}, panic_percent=60)
    site.add("c1", "c2")
    for name in ("c1", "c2"):
        await_state(site, name, "ready")
    site.net.stop_server("c2")
    try:
        until(lambda: site.of_service()["panic"], bool, "too few are well")
        site.await_slots({"c1": 32, "c2": 32})
    finally:
        site.net.start_server("c2")
    until(lambda: site.of_service()["panic"], lambda panic: not panic, "enough are well")


def test_ipv6_containers_are_checked_too(site: Site) -> None:
    site.add_service(vip="fd70:77::100", health={**FAST, "kind": "http", "path": "/"})
    site.add("c1")
    await_state(site, "c1", "ready")
    url = "http://[fd70:77::100]/"
    until(lambda: site.get(1, url), lambda got: got["c1"] == 1, "its slots are on the switch")
    assert site.get(5, url) == {"c1": 5}
