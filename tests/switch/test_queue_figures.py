"""What is read of a port's queues only grows, though they are set anew."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from typing import Final

import pytest

from nib.database import Nib
from nib.mirror import RowChange
from nib.qos import Policy
from nib.topology import Port
from ryu_apps import wire
from ryu_apps.queue_readings import QueueReadings
from tests.needs import need_ovs
from tests.nib_strategies import HERE
from tests.switch.metered import FRAME_BYTES, Metered, metered
from tests.waiting import until

pytestmark = pytest.mark.root

P2: Final = Port(HERE, "p2", 2, "02:00:00:00:00:02")
FRAMES: Final = 100


@pytest.fixture
def site() -> Iterator[Metered]:
    need_ovs()
    with metered(Policy("any", "shop", "web", number=1)) as here:
        yield here


@pytest.fixture
def readings() -> Iterator[QueueReadings]:
    with closing(Nib("unix:/nowhere", "test")) as nib:
        with nib.view() as view:
            view.apply(RowChange(None, P2))
        yield QueueReadings(nib)


def set_queues(site: Metered) -> None:
    """Two queues at the second port, in place of those that are there."""
    queue = ("create", "Queue", "other-config:min-rate=100000000")
    rate = "other-config:max-rate=1000000000"
    qos = ("create", "QoS", "type=linux-htb", rate, "queues:0=@a", "queues:9=@b")
    ids = [("--", "--id=@qos", *qos), ("--", "--id=@a", *queue), ("--", "--id=@b", *queue)]
    site.ovs.vsctl("set", "Port", "p2", "qos=@qos", *(word for part in ids for word in part))


def shown(site: Metered, readings: QueueReadings) -> dict[tuple[str, str, str], int]:
    """Values after a new reading, by what is counted, queue and class."""
    readings.read(HERE, site.peer.asked(wire.queue_stats_request))
    found = {}
    for metric in readings.collect():
        for sample in metric.samples:
            labels = sample.labels
            assert (labels["switch"], labels["port"]) == (HERE, "p2")
            what = metric.name.removeprefix("prewire_queue_")
            found[what, labels["queue"], labels["class"]] = int(sample.value)
    return found


def await_packets(site: Metered, readings: QueueReadings, packets: int) -> None:
    seen = until(
        lambda: shown(site, readings),
        lambda seen: seen.get(("packets", "0", "default")) == packets,
        f"{packets} packets left by queue 0",
    )
    assert seen["bytes", "0", "default"] == FRAME_BYTES * packets
    assert seen["packets", "9", ""] == 0  # no class has this queue


def test_queues_of_a_port(site: Metered, readings: QueueReadings) -> None:
    assert shown(site, readings) == {}
    set_queues(site)
    site.sending(FRAMES).join()
    await_packets(site, readings, FRAMES)
    site.ovs.vsctl("clear", "Port", "p2", "qos")
    until(
        lambda: site.peer.asked(wire.queue_stats_request), lambda seen: not seen, "queues are gone"
    )
    await_packets(site, readings, FRAMES)
    set_queues(site)
    site.sending(FRAMES).join()
    await_packets(site, readings, 2 * FRAMES)
