"""The web page on all of prewire: what a real switch, its containers and its meters do is seen."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.acceptance import qos
from tests.acceptance.site import ON_OS_KEN, VIP, Site
from tests.page.browser import Browser, browser, need_browser
from tests.waiting import until
from topologies import iperf

pytestmark = [pytest.mark.root, ON_OS_KEN]

LIMIT = 5_000_000
SECONDS = 60.0  # at most, of the load that is looked at


@pytest.fixture
def page(site: Site) -> Iterator[Browser]:
    """The overview, live. No predictor runs here, which is all that it may complain of."""
    need_browser()
    with browser() as opened:
        opened.open(f"{site.prewire.settings.api_url}/")
        opened.await_text("Live", ".live")
        yield opened
        assert all("503" in each for each in opened.complaints())


def shoot(page: Browser, name: str) -> None:
    """A picture, where the variable PREWIRE_PICTURES names a directory for them."""
    if directory := os.environ.get("PREWIRE_PICTURES"):
        page.shoot(Path(directory) / f"{name}.png")


def test_a_service_is_seen_to_come_and_to_be_used(site: Site, page: Browser) -> None:
    page.go("#/services/web")
    page.await_text("prewire service set web")
    site.add_service()
    page.await_text(VIP)
    site.add("c1", "c2")
    until(lambda: len(page.all(".slots i")), lambda count: count == 64, "its slots are drawn")
    until(page.read, lambda seen: seen.count("ready") >= 2, "both are ready")
    assert set(site.get(20)) == {"c1", "c2"}

    def used() -> str:
        site.get(10)
        return page.read("main table")

    until(used, lambda seen: re.search(r"[1-9][\d.]*/s", seen), "new connections are counted")
    shoot(page, "service")
    page.go("#/topology")
    page.await_text("1 switch")
    shoot(page, "topology")


def test_what_a_meter_drops_is_seen_while_it_does(site: Site, page: Browser) -> None:
    qos.add_services(site, "db", "shop")
    qos.set_policy(site, "slow", source="shop", destination="db", max_bps=LIMIT)
    page.go("#/policies")
    page.await_text("slow")
    with iperf.serving(site.net, "c1", 5201):
        to = qos.address_of(site, "c1")
        load = iperf.start_udp(site.net, "c3", to, 2 * LIMIT, SECONDS)
        try:
            seen = until(
                page.read, lambda text: re.search(r"bit/s [\d.]+ ?%", text), "drops are seen"
            )
            shoot(page, "policies")
        finally:
            load.stop()
    assert re.search(r"slow active", seen), seen
