"""The queues of a port: one for each class, with what it is sure of and what it may use at most.

Only ports whose rate an operator stated or that carry a guarantee have queues, and only while there
is a policy. Rates are bits a second of whole Ethernet frames.

Pure. Must not know: what enforces queues, what kind of port it is.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from nib.mirror import Lookups
from nib.qos import Policy
from nib.topology import Port
from openflow.values import LOCAL
from qos.provision import LinkState, Provision

# How a port of DPDK enforces queues, as PortQos rows have it.
POLICER: Final = "trtcm-policer"

# A class can send this much at once: what it is sure of in that time, ten full frames at least.
BURST_MS: Final = 20
_LEAST_BURST_BITS: Final = 10 * 1514 * 8

# Open vSwitch gives a queue a frame a second where it has less.
_LEAST_BPS: Final = 1514 * 8


@dataclass(frozen=True, slots=True)
class QueuePlan:
    """One queue, of the class `name`; priority: of what the port has to spare, 0 first.

    dscp: the mark of its packets; min_bps: what it is sure of; burst_bits: what may leave at once.
    """

    queue: int
    name: str
    dscp: int
    min_bps: int
    max_bps: int
    priority: int
    burst_bits: int


@dataclass(frozen=True, slots=True)
class PortQueues:
    """All queues of a port by number, the first is 0. What they are sure of is at most the rate."""

    rate_bps: int
    queues: tuple[QueuePlan, ...]


def port_queues(view: Lookups, provision: Provision, port: Port) -> PortQueues | None:
    """The queues that a port should have; None: none."""
    return link_queues(view, provision.links.get(port.key), port)


def link_queues(view: Lookups, link: LinkState | None, port: Port) -> PortQueues | None:
    """The same, where the link that leaves by the port is at hand; None: it is not known."""
    if link is None or not link.rate_bps or port.number == LOCAL or not view.count(Policy):
        return None
    if not link.stated and not link.guaranteed:
        return None
    sure = _assured(link)
    queues = (
        QueuePlan(
            each.queue,
            each.name,
            each.dscp,
            sure[each.name],
            max(sure[each.name], link.most(each.name)),
            each.priority,
            max(_LEAST_BURST_BITS, sure[each.name] * BURST_MS // 1000),
        )
        for each in link.classes.values()
    )
    return PortQueues(link.rate_bps, tuple(sorted(queues, key=lambda plan: plan.queue)))


def _assured(link: LinkState) -> dict[str, int]:
    """What each class is sure of: never nothing, together at most the rate."""
    sure = link.assurances()
    least = min(_LEAST_BPS, link.rate_bps // len(sure))
    above = {name: max(0, bps - least) for name, bps in sure.items()}
    room, wanted = link.rate_bps - least * len(sure), sum(above.values())
    if wanted > room:
        above = {name: bps * room // wanted for name, bps in above.items()}
    return {name: least + bps for name, bps in above.items()}
