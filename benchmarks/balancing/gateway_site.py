"""What `gateway` and `gateway-dpdk` ask of a network, whatever its switch's ports are."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from benchmarks.sites.controlled import Controlled
from benchmarks.sites.switch import Tools


@dataclass(frozen=True, slots=True)
class GatewaySite(Controlled):
    """With the programs of its Open vSwitch.

    switch_seconds: processor time that the switch has spent on packets; a difference counts.
    """

    tools: Tools
    switch_seconds: Callable[[], float]
