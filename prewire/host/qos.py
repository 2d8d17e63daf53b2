"""The node agent's part in quality of service: queues on the ports of this host's switches.

It writes QoS and Queue rows into Open vSwitch's database, has the kernel do what Open vSwitch does
not (see `prewire.host.tc`), looks whether all of it is still there, and tells the database how each
port's queues are enforced. Queues outlive the agent; the next one takes them up.

Must not know: which queues a port should have and why, what a verdict does to traffic.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from concurrent.futures import TimeoutError as FutureTimeout
from contextlib import closing
from typing import Final

from nib.database import Nib
from nib.draft import Draft
from nib.errors import NibError
from nib.intent import Container, Service
from nib.mirror import Lookups
from nib.plans import PolicyRate
from nib.qos import LinkRate, Policy, PortQos, QosClass
from nib.topology import Host, Link, Port, Switch
from prewire.host import queues as node_queues
from prewire.host.methods import (
    BY_DSCP,
    NOT_ENFORCED,
    Decision,
    decide,
    foreign_root,
    has_foreign_root,
    leaf_packets,
)
from prewire.host.ovs import OpenVSwitch
from prewire.host.port import outer_name
from prewire.host.queues import Known
from prewire.host.send_buffer import USUAL_BYTES, enlarge
from prewire.host.tc import Root, TcFailed, TrafficControl
from qos.queues import PortQueues, link_queues
from ryu_apps.provision import reservations_in_force

LOG = logging.getLogger(__name__)

# Records that queues depend on.
KINDS: Final = (
    Policy,
    PolicyRate,
    QosClass,
    LinkRate,
    Port,
    Link,
    Switch,
    Container,
    Service,
    Host,
)

_WRITE_S: Final = 5.0
_NO_HTB: Final = "Open vSwitch did not make its queues in the kernel; see ovs-vswitchd.log"


class QueueKeeper:
    """Keeps the queues of ports as they should be; used by one thread."""

    def __init__(self, nib: Nib, ovs: OpenVSwitch) -> None:
        self._nib = nib
        self._ovs = ovs
        self._dpids: frozenset[str] = frozenset()
        self._has_rows = True  # in Open vSwitch, ours: perhaps of an agent before this one
        self._send_buffer: tuple[int, int] = (0, USUAL_BYTES)  # of the process with this number
        self._seen: dict[int, object] = {}  # by device: what was found to be as it should be
        self._complaint = ""

    def doubt(self) -> None:
        """Somebody changed something in the kernel: what was seen there may not be so any more."""
        self._seen.clear()

    def settle(self, dpids: frozenset[str]) -> None:
        """Have the queues of these switches as they should be. Raises OvsFailed, TcFailed."""
        served = dpids | self._dpids  # those that are gone since are spoken of once more
        with self._nib.view() as view:
            plans = _plans(dpids, view)
            told = {row.key: row for row in view.all(PortQos) if row.switch in served}
        if not plans and not told and not self._has_rows:
            return
        known = node_queues.known(self._ovs.tables(node_queues.COLUMNS))
        with closing(TrafficControl()) as kernel:
            rows = self._enforce(plans, known, kernel)
        self._has_rows = bool(rows)
        if rows == told or self._tell(rows, served):
            self._dpids = dpids

    def _enforce(
        self, plans: Mapping[tuple[str, str], PortQueues], known: Known, kernel: TrafficControl
    ) -> dict[tuple[str, str], PortQos]:
        roots: Mapping[int, Root] = kernel.roots()
        decisions = _decisions(plans, known, roots)
        wanted = {each.port.name: each.columns for each in decisions if each.columns is not None}
        kept = frozenset(
            each.port.name for each in decisions if has_foreign_root(each.port, known, roots)
        )
        commands = node_queues.changes(wanted, kept, known)
        if commands:
            for each in decisions:
                if each.method == BY_DSCP and known.has_ours(each.port):
                    kernel.unsteer(each.port.index, each.marks)
            self._ovs.transact(commands)
            roots = kernel.roots()
        roots = self._renewed(decisions, roots, kernel)
        return {
            (each.port.dpid, each.port.name): self._finished(each, roots, kernel)
            for each in decisions
        }

    def _renewed(
        self, decisions: list[Decision], roots: Mapping[int, Root], kernel: TrafficControl
    ) -> Mapping[int, Root]:
        """The root qdiscs, once Open vSwitch has made anew those that somebody deleted.

        It does so only where it is told of no queues, and then of queues again.
        """
        gone = [each.port.name for each in decisions if not _is_whole(each, roots, kernel)]
        if not gone:
            return roots
        LOG.info("queues are made anew: %s", ", ".join(gone))
        ports = node_queues.known(self._ovs.tables(node_queues.COLUMNS)).ports
        self._ovs.transact([("clear", "Port", name, "qos") for name in gone])
        self._ovs.transact([("set", "Port", name, f"qos={ports[name].qos}") for name in gone])
        return kernel.roots()

    def _finished(
        self, decision: Decision, roots: Mapping[int, Root], kernel: TrafficControl
    ) -> PortQos:
        """What the kernel has to do of it is done, and seen to be there."""
        port, plan = decision.port, decision.plan
        problem = decision.problem
        if decision.is_htb and plan is not None:
            try:
                if not _is_whole(decision, roots, kernel):
                    problem = _NO_HTB
                elif decision.method == BY_DSCP:
                    self._steer(decision, plan, roots[port.index], kernel)
            except TcFailed as error:
                problem = str(error)
        rate = 0 if plan is None else plan.rate_bps
        return PortQos(port.dpid, port.name, decision.method, rate, problem[:500])

    def _steer(
        self, decision: Decision, plan: PortQueues, root: Root, kernel: TrafficControl
    ) -> None:
        index, marks = decision.port.index, decision.marks
        packets = leaf_packets(plan, self._may_wait())
        if self._seen.get(index) == (marks, packets, root):
            return
        self._seen.pop(index, None)
        kernel.steer(index, marks)
        kernel.limit(index, packets, root)
        self._seen[index] = (marks, packets, root)

    def _may_wait(self) -> int:
        """How many bytes the switch may have waiting in all queues together."""
        pid = self._ovs.vswitchd_pid()
        if self._send_buffer[0] == pid:
            return self._send_buffer[1]
        try:
            size = enlarge(pid)
        except OSError as error:
            LOG.warning(
                "queues are kept short: the send buffer of ovs-vswitchd cannot be enlarged (%s); "
                "set net.core.wmem_default to 8388608 and start Open vSwitch again",
                error,
            )
            size = USUAL_BYTES
        if size is None:
            return USUAL_BYTES
        self._send_buffer = (pid, size)
        return size

    def _tell(self, rows: Mapping[tuple[str, str], PortQos], dpids: frozenset[str]) -> bool:
        complaint = ""
        try:
            self._nib.write(_told(rows, dpids)).result(_WRITE_S)
        except (NibError, FutureTimeout) as error:
            complaint = str(error)
        if complaint and complaint != self._complaint:
            LOG.warning("how queues are enforced was not written: %s", complaint)
        self._complaint = complaint
        return not complaint


def _plans(dpids: frozenset[str], view: Lookups) -> dict[tuple[str, str], PortQueues]:
    """The queues that ports should have, of switches that the database knows."""
    if not view.count(Policy):
        return {}
    links = reservations_in_force(view)
    plans = {}
    for dpid in dpids:
        if view.get(Switch, dpid) is None:
            continue
        for port in view.ports_of(dpid):
            plan = link_queues(view, links.get(port.key), port)
            if plan is not None and port.name != outer_name(dpid):
                plans[port.key] = plan
    return plans


def _decisions(
    plans: Mapping[tuple[str, str], PortQueues], known: Known, roots: Mapping[int, Root]
) -> list[Decision]:
    """Of every port that should have queues; and of those that have ours below a foreign qdisc,
    which Open vSwitch would delete with them."""
    decisions = []
    for port in known.ports.values():
        plan = plans.get((port.dpid, port.name))
        if plan is not None:
            decisions.append(decide(port, plan, known, roots))
        elif known.has_ours(port) and has_foreign_root(port, known, roots):
            problem = foreign_root(port, roots)
            decisions.append(Decision(port, None, NOT_ENFORCED, None, problem))
    return decisions


def _is_whole(decision: Decision, roots: Mapping[int, Root], kernel: TrafficControl) -> bool:
    """Whether Open vSwitch's part is in the kernel: the root, and a class for every queue."""
    if not decision.is_htb or decision.plan is None:
        return True
    root = roots.get(decision.port.index)
    if root is None or not root.is_htb:
        return False
    queues = {each.queue for each in decision.plan.queues}
    if {queue + 1 for queue in queues} <= root.leaves.keys():
        return True
    return queues <= kernel.queues(decision.port.index)


def _told(
    rows: Mapping[tuple[str, str], PortQos], dpids: frozenset[str]
) -> Callable[[Draft], None]:
    def change(draft: Draft) -> None:
        for row in draft.all(PortQos):
            if row.switch in dpids and row.key not in rows:
                draft.delete(PortQos, row.key)
        for row in rows.values():
            if draft.get(PortQos, row.key) != row:
                draft.put(row)

    return change
