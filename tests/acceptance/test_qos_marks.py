"""Classes: the mark that a packet arrives with, and the queue it has gone through."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from qos.classes import PRESETS
from tests.acceptance import qos
from tests.acceptance.site import ON_OS_KEN, Site
from tests.waiting import until
from topologies import iperf

pytestmark = [pytest.mark.root, ON_OS_KEN]

PORT = 7300
COUNT = 20
EXPEDITED = 46 << 2  # what a sender might like to be taken for


@pytest.fixture
def served(site: Site) -> Iterator[Site]:
    """iperf3 listens in c1."""
    with iperf.serving(site.net, "c1"):
        yield site


@pytest.mark.parametrize("version", [4, 6])
def test_packets_arrive_with_the_mark_of_their_class(site: Site, version: int) -> None:
    qos.add_services(site, version=version)
    ends = {"source": qos.named("shop", version), "destination": qos.named("db", version)}
    qos.set_policy(site, "pair", **ends, of="interactive")
    to = qos.address_of(site, "c1", version)
    for source, name in (("c3", "interactive"), ("gateway", "default"), ("c2", "default")):
        with qos.marks(site, "c1", to, PORT, COUNT) as found:
            qos.send_marked(site, source, (to, PORT), COUNT, EXPEDITED)
        assert found == {PRESETS[name].dscp: COUNT}, f"of {source}"


def test_while_there_is_no_policy_packets_keep_their_marks(site: Site) -> None:
    qos.add_services(site)
    to = qos.address_of(site, "c1")
    with qos.marks(site, "c1", to, PORT, COUNT) as found:
        qos.send_marked(site, "c3", (to, PORT), COUNT, EXPEDITED)
    assert found == {46: COUNT}


def test_a_class_of_ones_own(site: Site) -> None:
    qos.add_services(site)
    site.prewire.put("/v1/classes/gold", {"dscp": 34, "queue": 5})
    qos.set_policy(site, "pair", source="shop", destination="db", of="gold")
    to = qos.address_of(site, "c1")
    with qos.marks(site, "c1", to, PORT, COUNT) as found:
        qos.send_marked(site, "c3", (to, PORT), COUNT, 0)
    assert found == {34: COUNT}


@pytest.mark.measures
@pytest.mark.parametrize("version", [4, 6])
def test_a_policys_bytes_go_through_the_queue_of_its_class(served: Site, version: int) -> None:
    qos.add_services(served, version=version)
    qos.state_rate(served, "c1", 100_000_000)
    ends = {"source": qos.named("shop", version), "destination": qos.named("db", version)}
    qos.set_policy(served, "pair", **ends, of="interactive")
    qos.await_queues(served, "c1")
    _, port = served.net.spec.port_of("c1")

    def counted(name: str) -> float:
        labels = {"port": port, "class": name}
        return served.prewire.counter("prewire_queue_bytes_total", **labels)

    before = {name: counted(name) for name in PRESETS}
    qos.udp(served, "c3", qos.address_of(served, "c1", version), 10_000_000)

    def through(name: str) -> float:
        return counted(name) - before[name]

    sent = 10_000_000 / 8 * 3
    until(lambda: through("interactive"), lambda sum_: sum_ > 0.9 * sent, "the queue has had it")
    assert through("default") < 0.1 * sent
    assert through("bulk") == 0
