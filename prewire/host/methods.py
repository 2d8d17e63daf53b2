"""How a port's queues can be enforced, by what kind of port it is, and what stands in the way.

Pure. Must not know: how rows and the kernel are read or written.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

from prewire.host.policer import policer_rows
from prewire.host.queues import Known, OvsPort, QosColumns, htb_columns
from prewire.host.send_buffer import PACKET_BYTES
from prewire.host.tc import Root
from qos.queues import POLICER, PortQueues

SET_QUEUE: Final = "set_queue + linux-htb"
BY_DSCP: Final = "dscp + linux-htb"
NOT_ENFORCED: Final = "none"

_COLUMNS: Final[Mapping[str, Callable[[PortQueues], QosColumns]]] = {
    SET_QUEUE: htb_columns,
    BY_DSCP: htb_columns,
    POLICER: policer_rows,
}

# A leaf queue holds what its class sends in this time, within these bounds, and never more than
# this part of what the switch may have waiting altogether.
_WAIT_MS: Final = 50
_LEAST_PACKETS: Final = 16
_MOST_PACKETS: Final = 1000
_PARTS: Final = 4
_FRAME_BITS: Final = 1514 * 8


@dataclass(frozen=True, slots=True)
class Decision:
    """What is done about a port's queues.

    plan: None where they should go; columns: None where nothing is to be written; problem: why
    nothing is, "" where all is well.
    """

    port: OvsPort
    plan: PortQueues | None
    method: str
    columns: QosColumns | None = None
    problem: str = ""

    @property
    def marks(self) -> dict[int, int]:
        """Queue by DSCP, where marks choose it; queue 0 has what no mark brings elsewhere."""
        if self.method != BY_DSCP or self.plan is None:
            return {}
        return {each.dscp: each.queue for each in self.plan.queues if each.queue}

    @property
    def is_htb(self) -> bool:
        """Whether the kernel's htb qdisc should be there."""
        return self.columns is not None and self.method in (SET_QUEUE, BY_DSCP)


def decide(port: OvsPort, plan: PortQueues, known: Known, roots: Mapping[int, Root]) -> Decision:
    """How this port gets these queues, or why it does not. roots: root qdiscs by device."""
    method, problem = _method(port)
    problem = problem or _foreign(port, method, known, roots)
    if problem:
        return Decision(port, plan, NOT_ENFORCED, None, problem)
    return Decision(port, plan, method, _COLUMNS[method](plan))


def has_foreign_root(port: OvsPort, known: Known, roots: Mapping[int, Root]) -> bool:
    """Whether somebody set the device's root qdisc, other than Open vSwitch for us."""
    root = roots.get(port.index)
    if root is None or not root.is_set:
        return False
    return not (known.has_ours(port) and root.is_htb)


def foreign_root(port: OvsPort, roots: Mapping[int, Root]) -> str:
    """What to do about it."""
    return (
        f"somebody else's root qdisc ({roots[port.index].name}) shapes it; take it away: "
        f"tc qdisc del dev {port.name} root (on Mininet: links without bw)"
    )


def _method(port: OvsPort) -> tuple[str, str]:
    """The method, or what prevents any."""
    if len(port.kinds) != 1:
        return "", "it has several interfaces (a bond); state the rate of a port with one"
    (kind,) = port.kinds
    if kind.startswith("dpdk"):
        return POLICER, ""
    if kind in ("internal", "tap"):
        return "", f"what leaves by a port of type {kind} passes no queue; use a veth pair instead"
    if kind not in ("", "system"):
        return "", f"a port of type {kind} has no queues; use a device of the kernel or of DPDK"
    return BY_DSCP if port.datapath == "netdev" else SET_QUEUE, ""


def _foreign(port: OvsPort, method: str, known: Known, roots: Mapping[int, Root]) -> str:
    if known.has_foreign(port):
        return (
            f"somebody else's QoS ({known.qos[port.qos].columns.type}) is set on it; take it away: "
            f"ovs-vsctl clear Port {port.name} qos"
        )
    if method == POLICER:
        return ""
    if port.index not in roots:
        return (
            "its device is not in the node agent's network namespace; run the agent in that of "
            "ovs-vswitchd"
        )
    return foreign_root(port, roots) if has_foreign_root(port, known, roots) else ""


def leaf_packets(plan: PortQueues, send_buffer: int) -> dict[int, int]:
    """How many packets may wait in each queue. send_buffer: of all ports together, in bytes."""
    part = max(_LEAST_PACKETS, send_buffer // PACKET_BYTES // _PARTS)
    most = min(part, _MOST_PACKETS)
    return {
        each.queue: min(most, max(_LEAST_PACKETS, each.max_bps * _WAIT_MS // 1000 // _FRAME_BITS))
        for each in plan.queues
    }
