"""What Prometheus is told of queues, whatever a switch does not know of them."""

from __future__ import annotations

from contextlib import closing
from typing import Any, Final

from nib.database import Nib
from nib.mirror import RowChange
from nib.qos import PortQos
from nib.topology import Port
from qos.queues import POLICER
from ryu_apps.framework import parser
from ryu_apps.queue_readings import QueueReadings
from tests.nib_strategies import HERE

P1: Final = Port(HERE, "p1", 1, "02:00:00:00:02:01")
UNKNOWN: Final = (1 << 64) - 1


def queue(port: int, number: int, packets: int, errors: int = 0) -> Any:
    size = UNKNOWN if packets == UNKNOWN else 100 * packets
    return parser.OFPQueueStats(port, number, size, packets, errors, UNKNOWN >> 32, 0)


def test_only_known_counters_of_ports_that_are_there_are_shown() -> None:
    with closing(Nib("unix:/nowhere", "test")) as nib:
        readings = QueueReadings(nib)
        with nib.view() as view:
            view.apply(RowChange(None, P1))
        lost = queue(1, 1, 5, UNKNOWN)
        readings.read(HERE, [queue(1, 0, UNKNOWN, UNKNOWN), lost, queue(2, 0, 9)])
        shown = {
            metric.name: [(*sample.labels.values(), sample.value) for sample in metric.samples]
            for metric in readings.collect()
        }
    assert shown == {
        "prewire_queue_bytes": [(HERE, "p1", "1", "bulk", 500)],
        "prewire_queue_packets": [(HERE, "p1", "1", "bulk", 5)],
        "prewire_queue_dropped_packets": [(HERE, "p1", "1", "bulk", 0)],
    }


def test_queues_of_a_policing_port_are_read_one_by_one() -> None:
    """And what is read of all others together says nothing of them."""
    policed = Port(HERE, "d1", 2, "02:00:00:00:02:02")
    with closing(Nib("unix:/nowhere", "test")) as nib:
        readings = QueueReadings(nib)
        with nib.view() as view:
            for row in (P1, policed, PortQos(HERE, "d1", POLICER), PortQos(HERE, "p1", "none")):
                view.apply(RowChange(None, row))
        assert readings.apart(HERE) == [(2, each) for each in range(4)]
        for packets in (5, 9):
            readings.read_apart(HERE, [queue(2, 2, packets)])
            readings.read(HERE, [queue(1, 0, packets)])
        (bits, *_) = readings.collect()
        shown = {sample.labels["port"]: sample.value for sample in bits.samples}
    assert shown == {"d1": 900, "p1": 900}
