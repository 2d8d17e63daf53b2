"""Finds out what differs from what is wanted, and has it put right: on request, and by the clock.

On request (a row of the database) a resting switch is read back at once, the findings are reported,
then repaired. By the clock switches are read slice by slice (`ryu_apps.sweep`); where a slice
differs the same is done, unasked: a deleted group takes flows of other slices with it. What is not
prewire's is counted and left alone.

Must not know: how the findings are made (`ryu_apps.audit`), how switches are programmed.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Mapping
from typing import Final

from nib.mirror import Lookups, RowChange
from nib.records import Audit
from ryu_apps import audit, rows
from ryu_apps.audit import Slice
from ryu_apps.connected import Connected
from ryu_apps.diff import Changes, Installed, diff
from ryu_apps.link import ReadBackResult
from ryu_apps.measures import Measures
from ryu_apps.status import StatusWriter
from ryu_apps.sweep import Handlers, Sweep, Timers

LOG = logging.getLogger(__name__)

# Instead of a request's number: of an audit that nobody asked for.
UNASKED: Final = 0

Repair = Callable[[str, Installed], None]
"""Have the switch of this datapath id programmed, given what it really holds."""


class Audits:
    """To be used in the mailbox's thread only."""

    def __init__(
        self,
        view: Lookups,
        switches: Mapping[str, Connected],
        status: StatusWriter,
        measures: Measures,
        repair: Repair,
    ) -> None:
        self._view = view
        self._switches = switches
        self._status = status
        self._measures = measures
        self._repair = repair
        self._sweep: Sweep | None = None

    def start(self, timers: Timers, seconds: float) -> None:
        """Read switches by the clock, each about once in so many seconds; 0: never."""
        if seconds:
            handlers = Handlers(self._slice_read, self._passed)
            self._sweep = Sweep(self._switches, timers, seconds, handlers)
            self._sweep.start()

    def watch(self, changes: Iterable[RowChange]) -> None:
        """Rows changed; begin what they ask for."""
        for change in changes:
            if isinstance(change.new, Audit):
                connected = self._switches.get(change.new.switch)
                if connected is not None:
                    self.begin(connected)

    def begin(self, connected: Connected) -> None:
        """Read a resting switch back where an audit of it is asked for."""
        asked = self._view.get(Audit, connected.dpid)
        if asked is None or not connected.is_resting or connected.audit is not None:
            return
        if asked.requested > max(asked.finished, connected.audited):
            connected.audit = asked.requested
            connected.link.read_back()

    def read(self, connected: Connected, result: ReadBackResult) -> None:
        """A read-back came that was not the session's.

        Where the switch was changed meanwhile, an audit begins anew when it rests.
        """
        request, connected.audit = connected.audit, None
        if request is not None:
            self._audited(connected, request, result)
        elif self._sweep is not None:
            self._sweep.read(connected, result)

    def _audited(self, connected: Connected, request: int, result: ReadBackResult) -> None:
        """All of a switch was read. request: UNASKED where the sweep had it read."""
        if connected.session is None or not connected.is_resting:
            return
        desired = connected.session.desired
        changes = diff(desired, result.installed)
        found = audit.findings(desired, changes, result)
        row = found.row(connected.dpid, request)
        if request != UNASKED:
            connected.audited = request
            self._status.note(("audit", connected.dpid), rows.audited(row))
        elif len(changes):
            self._status.note(("repaired", connected.dpid), rows.repaired(row))
        if len(changes):
            self._put_right(connected, changes, result)

    def _slice_read(self, connected: Connected, part: Slice, result: ReadBackResult) -> None:
        """A slice of a resting switch came; where it differs, all of the switch is read."""
        session = connected.session
        if session is not None and audit.differs(part, session.installed, result.installed):
            connected.audit = UNASKED
            connected.link.read_back()

    def _passed(self, connected: Connected) -> None:
        """A switch was read to its end."""
        self._measures.read_backs.labels(connected.dpid).inc()

    def _put_right(self, connected: Connected, changes: Changes, result: ReadBackResult) -> None:
        missing, alien = audit.repaired(changes)
        LOG.warning(
            "switch %s: %d rules were missing or altered, %d alien; they are put right",
            connected.dpid,
            missing,
            alien,
        )
        self._measures.repaired.labels(connected.dpid, "missing").inc(missing)
        self._measures.repaired.labels(connected.dpid, "alien").inc(alien)
        self._repair(connected.dpid, result.installed)
