"""Caps: a container behind a VIP never sees more than so many connections."""

from __future__ import annotations

import signal
from contextlib import ExitStack

import pytest

from tests.acceptance.site import ON_OS_KEN, Site
from tests.waiting import until

pytestmark = [pytest.mark.root, ON_OS_KEN]


@pytest.fixture(autouse=True)
def fresh_servers(site: Site) -> None:
    """No connection of an earlier test that only its client knows to be over."""
    for name in ("c1", "c2"):
        site.net.stop_server(name, signal.SIGKILL)
        site.net.start_server(name)


def held_by(site: Site, name: str) -> int:
    """Connections that a container's server holds open, as its own kernel counts them."""
    shown = site.net.run(name, ["ss", "-Htn", "state", "established", "sport = :8080"]).stdout
    return len(shown.splitlines())


def test_a_service_never_has_more_connections_than_its_cap(site: Site) -> None:
    site.add_service(max_connections=3)
    site.add("c1", "c2")
    with ExitStack() as open_now:
        talks = [open_now.enter_context(site.talk()) for _ in range(3)]
        assert {talk.get() for talk in talks} <= {"c1", "c2"}
        assert site.get(5)["failed"] == 5
        assert held_by(site, "c1") + held_by(site, "c2") == 3
        assert all(not talk.get().startswith("failed") for talk in talks)
    until(lambda: site.get(1), lambda got: not got["failed"], "a place is free again")


def test_a_container_never_has_more_connections_than_its_cap(site: Site) -> None:
    site.add_service()
    site.add("c1", max_connections=2)
    site.add("c2")
    with ExitStack() as open_now:
        for _ in range(12):
            talk = open_now.enter_context(site.talk())
            assert not talk.get().startswith("failed")
        assert held_by(site, "c1") <= 2
        assert held_by(site, "c1") + held_by(site, "c2") == 12


def test_many_at_once_do_not_get_past_the_cap(site: Site) -> None:
    site.add_service(max_connections=4)
    site.add("c1")
    script = (
        "for i in $(seq 40); do "
        f"(exec 3<>/dev/tcp/{site.vip}/80 && sleep 3) 2>/dev/null & done; wait"
    )
    with site.net.popen("client", ["bash", "-c", script]) as running:
        seen = 0
        while running.poll() is None:
            seen = max(seen, held_by(site, "c1"))
    assert 1 <= seen <= 4
