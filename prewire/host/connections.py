"""How many connections containers and policies have, from the switches' connection table to the
database.

A thread that reads, writes and sleeps. Reading keeps ovs-vswitchd from forwarding where it has no
threads for that (the userspace datapath without DPDK), some 10 microseconds a connection, closed
ones that linger too. So where nothing depends on a count it is read rarely, and ever more rarely
the longer it takes.

Must not know: what a line of the table means, which rows are due (gateway_lb.conntrack_view,
qos.connections).
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import TimeoutError as FutureTimeout
from typing import Final

from gateway_lb.conntrack_view import Tally, due_rows, is_urgent
from nib.database import Nib
from nib.draft import Draft
from nib.errors import NibError
from nib.intent import Container
from nib.observed import Connections
from nib.qos import Policy, PolicyConnections
from nib.topology import Switch
from prewire.host.ovs import OpenVSwitch, OvsFailed
from qos import connections as of_policies

LOG = logging.getLogger(__name__)

# A reading may take one part in this many of the time, where a count matters and where not.
_URGENT_PARTS: Final = 20
_RELAXED_PARTS: Final = 400
_WRITE_S: Final = 5.0
_RELAXED_S: Final = 10.0


class ConnectionCounter:
    """Counts in the switches it is told of, for the containers and policies of all; every `poll_s`
    seconds or more rarely: at most every ten seconds where nothing depends on a count. Then rows of
    policies are written as they are, between as exactly as a decision needs it.

    unknown: lines of the last reading that were not understood.
    """

    def __init__(self, nib: Nib, ovs: OpenVSwitch, poll_s: float) -> None:
        self.unknown = 0
        self._nib = nib
        self._ovs = ovs
        self._poll_s = poll_s
        self._switches: frozenset[str] = frozenset()
        self._ending = threading.Event()
        self._complaint = ""
        self._rested_at = -_RELAXED_S
        self._took_s = 0.0
        self._thread = threading.Thread(target=self._run, name="connections", daemon=True)

    def start(self) -> None:
        """Begin to count."""
        self._thread.start()

    def set(self, switches: frozenset[str]) -> None:
        """Count for these datapath ids."""
        self._switches = switches

    def close(self) -> None:
        """End; a reading under way is finished."""
        self._ending.set()
        self._thread.join(10)

    def _run(self) -> None:
        """Read until closed; one that fails, whatever the cause, is told, and the next is tried."""
        pause = 0.0
        while not self._ending.wait(pause):
            began = time.monotonic()
            complaint = ""
            try:
                self._count()
            except (OvsFailed, NibError, FutureTimeout) as error:
                complaint = str(error)
            except Exception:
                LOG.exception("connections were not counted")
            if complaint and complaint != self._complaint:
                LOG.warning("connections are not counted: %s", complaint)
            self._complaint = complaint
            took = time.monotonic() - began
            pause = max(self._poll_s - took, took * (_URGENT_PARTS - 1))

    def _count(self) -> None:
        zones = self._zones(self._switches)
        is_rested = time.monotonic() - self._rested_at >= self._rest_s()
        with self._nib.view() as view:
            limited = of_policies.limited_containers(view)
            is_due = is_rested or bool(limited) or is_urgent(view)
        if not zones or not is_due:
            return
        began = time.monotonic()
        now_ms = round(time.time() * 1000)  # before: what begins while it is read may be left out
        tally = self._read(frozenset(zones.values()), limited)
        if tally.unknown and not self.unknown:
            LOG.warning("%d lines of the connection table were not understood", tally.unknown)
        self.unknown = tally.unknown
        self._took_s = time.monotonic() - began
        if is_rested:
            self._rested_at = began
        self._write(tally, zones, now_ms, is_rested=is_rested)

    def _write(
        self, tally: Tally, zones: Mapping[str, int], now_ms: int, *, is_rested: bool
    ) -> None:
        with self._nib.view() as view:
            rows = due_rows(tally.counts, zones, view, now_ms)
            policies = of_policies.due_rows(tally.sources, zones, view, exact=is_rested)
            idle = of_policies.idle_rows(zones, view)
        if rows or policies or idle:
            self._nib.write(_counted(rows, policies, idle)).result(_WRITE_S)

    def _rest_s(self) -> float:
        """How long a count that nothing depends on may be old."""
        return max(_RELAXED_S, self._took_s * _RELAXED_PARTS)

    def _zones(self, switches: frozenset[str]) -> dict[str, int]:
        with self._nib.view() as view:
            known = (view.get(Switch, dpid) for dpid in switches)
            return {switch.dpid: switch.ct_zone for switch in known if switch is not None}

    def _read(self, zones: frozenset[int], limited: frozenset[int]) -> Tally:
        tally = Tally(limited)
        only = next(iter(zones)) if len(zones) == 1 else None
        for datapath in self._ovs.datapaths():
            tally.add(self._ovs.connections(datapath, only))
        return tally


def _counted(
    rows: Sequence[Connections],
    policies: Sequence[PolicyConnections],
    idle: Sequence[PolicyConnections],
) -> Callable[[Draft], None]:
    """Put the rows, unless what they are about is gone; they replace one of no switch."""

    def change(draft: Draft) -> None:
        for row in rows:
            container = (row.service, row.container)
            if draft.get(Container, container) is None or draft.get(Switch, row.switch) is None:
                continue
            draft.put(row)
            if draft.get(Connections, (*container, "")) is not None:
                draft.delete(Connections, (*container, ""))
        for each in policies:
            if draft.get(Policy, each.policy) and draft.get(Switch, each.switch):
                draft.put(each)
        for each in idle:
            if draft.get(PolicyConnections, each.key) is not None:
                draft.delete(PolicyConnections, each.key)

    return change
