"""What Prometheus is told of the meters to the controller."""

from __future__ import annotations

from contextlib import closing
from typing import Any, Final

from nib.database import Nib
from nib.mirror import RowChange
from nib.topology import Switch
from qos.pipeline import bit_meter
from ryu_apps.framework import parser
from ryu_apps.told_readings import REASONS, ToldReadings
from tests.nib_strategies import HERE, THERE


def meter(meter_id: int, offered: int, dropped: int) -> Any:
    return parser.OFPMeterStats(
        meter_id=meter_id,
        packet_in_count=offered,
        byte_in_count=0,
        band_stats=[parser.OFPMeterBandStats(dropped, 0)],
    )


EMPTY: Final = REASONS["empty"]


def test_only_the_controllers_own_meters_of_known_switches_are_shown() -> None:
    with closing(Nib("unix:/nowhere", "test")) as nib:
        with nib.view() as view:
            view.apply(RowChange(None, Switch(HERE, 1)))
        readings = ToldReadings(nib)
        readings.read(HERE, [meter(EMPTY, 10, 3), meter(bit_meter(1), 9, 9), meter(7, 9, 9)])
        readings.read(THERE, [meter(EMPTY, 10, 3)])
        readings.read(HERE, [])  # the switch has restarted
        readings.read(HERE, [meter(EMPTY, 20, 5)])
        shown = {
            metric.name: [(sample.labels, sample.value) for sample in metric.samples]
            for metric in readings.collect()
        }
    labels = {"switch": HERE, "reason": "empty"}
    assert shown == {
        "prewire_told_packets": [(labels, 30)],
        "prewire_told_dropped_packets": [(labels, 8)],
    }
