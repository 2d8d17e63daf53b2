"""Guarantees: admitted or refused at once, and kept when a link is offered more than it carries."""

from __future__ import annotations

import time
from collections.abc import Iterator

import pytest

from tests.acceptance import qos
from tests.acceptance.site import ON_OS_KEN, Site
from topologies import iperf

pytestmark = [pytest.mark.root, ON_OS_KEN]

LINK = 50_000_000
GUARANTEED = 10_000_000


@pytest.fixture
def loaded(site: Site) -> Iterator[Site]:
    """iperf3 listens in c1, whose port carries 50 Mb/s; no pair has a guarantee yet."""
    qos.add_services(site)
    qos.state_rate(site, "c1", LINK)
    qos.set_policy(site, "bulk", source="batch", destination="db", of="bulk")
    qos.await_queues(site, "c1")
    with iperf.serving(site.net, "c1", 5201, 5202, 5203):
        yield site


def received(site: Site) -> tuple[float, float]:
    """Bits a second of the pair, and of others who offer three times what the link carries."""
    to = qos.address_of(site, "c1")
    pair = iperf.start_udp(site.net, "c3", to, GUARANTEED, 7)
    qos.wait_until(time.monotonic() + 0.5)
    others = [
        iperf.start_udp(site.net, host, to, bps, 5, port=port)
        for host, port, bps in (("c2", 5202, LINK), ("gateway", 5203, 2 * LINK))
    ]
    began = time.monotonic() + 1
    ended = began + 3
    rates = [load.flow().rate(began, ended) for load in others]
    return pair.flow().rate(began, ended), sum(rates)


@pytest.mark.measures
def test_a_guarantee_is_kept_on_a_link_offered_more_than_it_carries(loaded: Site) -> None:
    before, _ = received(loaded)
    assert before < 0.85 * GUARANTEED, "the link is not full: this shows nothing"

    fields = {"of": "interactive", "guaranteed_bps": "10M"}
    qos.set_policy(loaded, "pair", source="shop", destination="db", **fields)
    qos.await_queues(loaded, "c1")
    pair, others = received(loaded)

    assert pair >= 0.93 * GUARANTEED, f"{pair / 1e6:.1f} Mb/s"
    assert 0.6 * (LINK - GUARANTEED) <= others <= 1.05 * (LINK - GUARANTEED)


def test_a_guarantee_that_a_link_cannot_carry_is_refused(loaded: Site) -> None:
    body = {"source": "shop", "destination": "db", "class": "interactive", "guaranteed_bps": "48M"}
    answer = loaded.prewire.http.put("/v1/policies/pair", json=body)

    _, port = loaded.net.spec.port_of("c1")
    free = next(
        each["free_bps"]
        for each in qos.bandwidth(loaded, "c1")["classes"]
        if each["class"] == "interactive"
    )
    assert answer.status_code in (409, 422)
    assert port in answer.text
    assert f"{free // 1_000_000}" in answer.text
    assert loaded.prewire.http.get("/v1/policies/pair").status_code == 404

    body["guaranteed_bps"] = free
    assert loaded.prewire.put("/v1/policies/pair", body)["state"] == "active"
