"""How new connections are shared: weights, canaries, reports, free capacity, with real HTTP."""

from __future__ import annotations

import time

import pytest

from tests.acceptance.site import ON_OS_KEN, Site
from tests.waiting import until

pytestmark = [pytest.mark.root, ON_OS_KEN]


def share_of(site: Site, name: str, count: int = 200) -> float:
    """The part of new connections that a container answers."""
    answers = site.get(count)
    assert sum(answers.values()) == count
    assert answers["failed"] == 0, answers
    return answers[name] / count


def test_weights_share_new_connections(site: Site) -> None:
    site.add_service()
    for name, weight in (("c1", 3), ("c2", 2), ("c3", 1)):
        site.add(name, weight=weight)
    site.await_slots({"c1": 32, "c2": 21, "c3": 11})
    answers = site.get(300)
    for name, share in (("c1", 3 / 6), ("c2", 2 / 6), ("c3", 1 / 6)):
        assert abs(answers[name] / 300 - share) < 0.12, answers


def test_weight_0_takes_no_new_connection_and_keeps_those_it_has(site: Site) -> None:
    site.add_service()
    site.add("c1", "c2")
    with site.talk() as talk:
        name = talk.get()
        site.add(name, weight=0)
        assert name not in site.get(30)
        assert talk.get() == name
        assert site.of_container(name)["state"] == "idle"


def test_a_canary_grows_in_steps(site: Site) -> None:
    canary = {"version": "v2", "percent": 50, "step_percent": 25, "step_ms": 1500}
    site.add_service()
    site.add("c1", "c2", "c3", version="v1")
    site.add("c4", version="v2")
    site.add_service(canary=canary)
    began = time.monotonic()
    assert site.of_container("c4")["slots"] == 16
    until(
        lambda: site.of_container("c4")["slots"],
        lambda slots: slots == 32,
        "the second step has come",
    )
    assert 0.5 < time.monotonic() - began < 5
    assert abs(share_of(site, "c4") - 0.5) < 0.15


def test_agent_check_words_change_shares(site: Site) -> None:
    site.add_service()
    site.add("c1", "c2")
    site.await_slots({"c1": 32, "c2": 32})
    assert site.report({"container": "c1", "words": "50%"})["accepted"] == 1
    site.await_slots({"c1": 21, "c2": 43})
    for words, state in (("drain", "draining"), ("down", "down")):
        site.report({"container": "c1", "words": words})
        site.await_slots({"c1": 0, "c2": 64})
        assert site.of_container("c1")["state"] == state
        assert site.get(20) == {"c2": 20}
    site.report({"container": "c1", "words": "ready 100%"})
    site.await_slots({"c1": 32, "c2": 32})


def test_a_full_container_takes_nothing_new_until_it_has_room(site: Site) -> None:
    site.add_service()
    site.add("c1", "c2", max_inflight=4)
    site.report({"container": "c1", "inflight": 4})
    site.await_slots({"c1": 0, "c2": 64})
    shown = site.of_container("c1")
    assert (shown["state"], shown["inflight"]) == ("full", 4)
    assert site.get(20) == {"c2": 20}
    site.report({"container": "c1", "inflight": 3})
    site.await_slots({"c1": 32, "c2": 32})


def test_slots_follow_free_capacity(site: Site) -> None:
    site.add_service(policy="least_inflight")
    site.add("c1", "c2", max_inflight=8)
    site.await_slots({"c1": 32, "c2": 32})
    site.report({"container": "c1", "inflight": 6}, {"container": "c2", "inflight": 2})
    site.await_slots({"c1": 16, "c2": 48})


def test_open_connections_count_as_in_flight_without_any_report(site: Site) -> None:
    site.add_service(policy="least_inflight")
    site.add("c1", max_inflight=2)
    site.add("c2", max_inflight=8)
    with site.talk() as one, site.talk() as two, site.talk() as three:
        names = [talk.get() for talk in (one, two, three)]
        until(
            lambda: [site.of_container(name)["inflight"] for name in ("c1", "c2")],
            lambda seen: seen == [names.count("c1"), names.count("c2")],
            f"connections to {names} are counted",
        )


def test_silence_is_no_failure(site: Site) -> None:
    site.add_service()
    site.add("c1", "c2")
    site.report({"container": "c1", "words": "75%"})
    held = site.await_slots({"c1": 27, "c2": 37})
    time.sleep(2)  # longer than any tick or poll
    assert {name: site.of_container(name)["slots"] for name in held} == held


def test_status_and_slots_say_who_gets_what_and_why(site: Site) -> None:
    site.add_service()
    site.add("c1", "c2")
    site.report({"container": "c1", "words": "drain"})
    site.await_slots({"c1": 0, "c2": 64})
    shown = site.prewire.cli_here("service", "slots", "web")
    assert shown.returncode == 0, shown.stderr
    assert "c2" in shown.stdout
    assert "64" in shown.stdout
    why = site.prewire.cli_here(
        "explain", f"in_port=1,tcp,nw_src=10.0.0.1,nw_dst={site.vip},tp_src=4000,tp_dst=80"
    )
    assert "drain" in why.stdout, why.stdout
