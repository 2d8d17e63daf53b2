"""Containers come and go under load, and no request fails."""

from __future__ import annotations

import itertools

import pytest

from tests.acceptance.site import ON_OS_KEN, Site

pytestmark = [pytest.mark.root, ON_OS_KEN]

REQUESTS = 5000
CHANGES = 40


def test_no_request_fails_while_containers_come_and_go(site: Site) -> None:
    """One at a time is away; its connections live on for the default drain time."""
    site.add_service()
    site.add("c1", "c2", "c3")
    turns = itertools.cycle(["c1", "c2", "c3", "c4"])
    with site.load(connections=6, at_least=REQUESTS) as load:
        for name in itertools.islice(turns, CHANGES // 2):
            site.remove(name) if name != "c4" else site.add(name)
            site.add(name) if name != "c4" else site.remove(name)
    load.assert_none_failed()
    assert load.result["requests"] >= REQUESTS
    assert set(load.result["answers"]) == {"c1", "c2", "c3", "c4"}, load.result


def test_a_killed_container_costs_its_own_connections_only(site: Site) -> None:
    """It is killed with its connections; after drain=0 nothing new goes there."""
    site.add_service()
    site.add("c1", "c2", "c3")
    with site.talk() as first, site.talk() as second, site.talk() as third:
        served = {talk: talk.get() for talk in (first, second, third)}
        killed = served[first]
        site.net.stop_server(killed)
        try:
            site.remove(killed, drain=0)
            assert killed not in site.get(30)
            for talk, name in served.items():
                assert name == killed or talk.get() == name
        finally:
            site.net.start_server(killed)
