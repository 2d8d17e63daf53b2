"""A container's life: warming, lease, draining with progress, removal at once."""

from __future__ import annotations

import time

import pytest

from tests.acceptance.site import ON_OS_KEN, SERVICE, Site, Talk
from tests.waiting import until

pytestmark = [pytest.mark.root, ON_OS_KEN]


def test_a_newcomer_warms_up(site: Site) -> None:
    site.add_service(slow_start_seconds=4)
    site.add("c1")
    until(lambda: site.of_container("c1")["state"], lambda state: state == "ready", "c1 is warm")
    site.add("c2")
    shown = site.of_container("c2")
    assert shown["state"] == "warming"
    assert 0 < shown["slots"] < 16
    site.await_slots({"c1": 32, "c2": 32})
    assert site.of_container("c2")["state"] == "ready"


def test_a_lease_that_is_not_renewed_drains(site: Site) -> None:
    site.add_service()
    site.add("c1")
    site.add("c2", lease_seconds=1)
    with site.talk() as talk:
        name = talk.get()
        until(
            lambda: site.of_container("c2")["state"],
            lambda state: state == "draining",
            "the lease has expired",
        )
        site.await_slots({"c1": 64, "c2": 0})
        assert site.get(20) == {"c1": 20}
        assert talk.get() == name


def test_renewing_keeps_a_lease(site: Site) -> None:
    site.add_service()
    site.add("c1", lease_seconds=1)
    for _ in range(12):
        time.sleep(0.25)
        answer = site.prewire.http.post(f"{SERVICE}/containers/c1/renew")
        assert answer.is_success, answer.text
    assert site.of_container("c1")["state"] == "ready"


def test_draining_shows_its_progress_and_when_it_is_safe_to_stop(site: Site) -> None:
    site.add_service()
    site.add("c1", "c2")
    with site.talk() as talk:
        name = talk.get()
        answer = site.prewire.delete(f"{SERVICE}/containers/{name}", drain="60s")
        assert answer.status_code == 202
        begun = answer.json()
        assert begun["state"] == "draining"
        assert 55 < begun["seconds_left"] <= 60
        held = until(
            lambda: site.of_container(name),
            lambda shown: shown["connections"] == 1,
            "the node agent counts the connection",
        )
        assert held["safe_to_stop"] is False
        assert talk.get() == name
    ended = until(
        lambda: site.of_container(name),
        lambda shown: shown["safe_to_stop"],
        "no connection remains",
    )
    assert ended["connections"] == 0
    assert ended["seconds_left"] > 30


def await_reset(talk: Talk) -> None:
    """Return when the connection is reset: with its next packet, once the datapath, which the
    switch brings up to date after it has acknowledged, knows of the change."""
    until(talk.get, lambda said: "reset" in said.lower(), "the connection is reset", 2)


def test_removal_at_once_resets_connections_on_their_next_packet(site: Site) -> None:
    site.add_service()
    site.add("c1", "c2")
    with site.talk() as talk:
        name = talk.get()
        site.remove(name, drain=0)
        await_reset(talk)
    assert name not in site.get(20)


def test_a_port_that_was_reset_serves_for_the_vip_again(site: Site) -> None:
    site.add_service()
    site.add("c1", "c2")
    with site.talk(source_port=45_123) as talk:
        site.remove(talk.get(), drain=0)
        await_reset(talk)
    with site.talk(source_port=45_123) as talk:
        assert talk.get() in {"c1", "c2"}
