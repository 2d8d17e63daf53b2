"""What a meter of a switch is for, and what is wanted of it where.

Pure: a view of the database in, a value out. Nothing is asked of a switch.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final, Literal

from gateway_lb.pipeline import ADMIT_METER, EMPTY_METER, RESET_METER
from nib.mirror import Lookups
from nib.topology import Switch
from openflow.cookies import METER_IDS
from openflow.text import meter_text
from openflow.values import Meter
from qos.pipeline import bit_meter, policy_of_meter
from ryu_apps.compile import unit_rules
from ryu_apps.forwarding import ASK_METER, LEARN_METER, PROBE_METER, UNKNOWN_METER
from ryu_apps.units import BASE, Unit

# Of all switches: what of is told to the controller, and no more than so many a second.
_TELLING: Final = {
    PROBE_METER: "link probes where no link is known yet",
    LEARN_METER: "stations that speak where they are not known to be",
    ASK_METER: "stations looking for one that nobody knows",
    UNKNOWN_METER: "packets for a station that nobody knows",
    RESET_METER: "connections whose container is gone",
    EMPTY_METER: "connections to services without a container",
    ADMIT_METER: "new connections of services with a cap",
}


@dataclass(frozen=True, slots=True)
class WantedMeter:
    """What is wanted of a meter in one switch: kilobits or packets a second, and of the burst."""

    switch: str
    switch_name: str
    rate: int
    burst: int
    text: str


@dataclass(frozen=True, slots=True)
class ExplainedMeter:
    """A meter's origin. policy: "" where it is no policy's; counts: what its rate is of; switches:
    where it should be, none where nothing wants it."""

    meter: int
    owner: str
    policy: str
    counts: Literal["bits", "packets", ""]
    switches: tuple[WantedMeter, ...]


def explain_meter(number: int, view: Lookups) -> ExplainedMeter:
    """Explain the meter with this OpenFlow id."""
    if number not in METER_IDS:
        return ExplainedMeter(number, _foreign(), "", "", ())
    of_policy = policy_of_meter(number)
    if of_policy is None:
        told = _TELLING.get(number)
        owner = f"base: bounds what the controller is told of {told}" if told else "nothing has it"
        return ExplainedMeter(
            number, owner, "", "packets" if told else "", tuple(_wanted(number, BASE, view))
        )
    counts: Literal["bits", "packets"] = "bits" if number == bit_meter(of_policy) else "packets"
    policy = view.policy_numbered(of_policy)
    if policy is None:
        return ExplainedMeter(number, f"policy number {of_policy}, gone", "", counts, ())
    unit = Unit("policy", policy.name)
    where = tuple(_wanted(number, unit, view))
    return ExplainedMeter(number, f"policy {policy.name}", policy.name, counts, where)


def _foreign() -> str:
    return f"not prewire's: its meters are {METER_IDS.start} to {METER_IDS.stop - 1}"


def _wanted(number: int, unit: Unit, view: Lookups) -> Iterator[WantedMeter]:
    """The meter in every switch that should have it."""
    for switch in sorted(view.all(Switch), key=lambda each: each.dpid):
        for meter in unit_rules(unit, view, switch).meters:
            if meter.meter_id == number:
                yield _in_switch(switch, meter)


def _in_switch(switch: Switch, meter: Meter) -> WantedMeter:
    return WantedMeter(switch.dpid, switch.name, meter.rate_kbps, meter.burst_kb, meter_text(meter))
