"""All that a controller exports besides what it does itself, in the order of the page."""

from __future__ import annotations

from typing import NamedTuple

from nib.database import Nib
from ryu_apps.bandwidth_states import BandwidthStates
from ryu_apps.policy_readings import PolicyReadings
from ryu_apps.queue_readings import QueueReadings
from ryu_apps.readings import Readings
from ryu_apps.states import States
from ryu_apps.told_readings import ToldReadings


class Collectors(NamedTuple):
    """One of each."""

    traffic: Readings
    told: ToldReadings
    states: States
    policies: PolicyReadings
    queues: QueueReadings
    bandwidth: BandwidthStates


def collectors(nib: Nib) -> Collectors:
    """For one controller; to be registered."""
    return Collectors(
        Readings(nib),
        ToldReadings(nib),
        States(nib),
        PolicyReadings(nib),
        QueueReadings(nib),
        BandwidthStates(nib),
    )
