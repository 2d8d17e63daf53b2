"""Carries audits out: a switch that rests is read back where the database asks for it.

Must not know: how the findings are made (`ryu_apps.audit`), how switches are programmed.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from nib.mirror import Lookups, RowChange
from nib.records import Audit
from ryu_apps import audit, rows
from ryu_apps.connected import Connected
from ryu_apps.link import ReadBackResult
from ryu_apps.status import StatusWriter


class Audits:
    """To be used in the mailbox's thread only."""

    def __init__(
        self, view: Lookups, switches: Mapping[str, Connected], status: StatusWriter
    ) -> None:
        self._view = view
        self._switches = switches
        self._status = status

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
        if asked is not None and asked.requested > asked.finished and connected.is_resting:
            connected.audit = asked.requested
            connected.link.read_back()

    def read(self, connected: Connected, result: ReadBackResult) -> None:
        """A read-back came that was not the session's.

        Where the switch was changed meanwhile, the audit begins anew when it rests.
        """
        request, connected.audit = connected.audit, None
        if request is None or connected.session is None or not connected.is_resting:
            return
        desired = connected.session.desired
        found = audit.findings(connected.dpid, request, desired, result.installed, result.foreign)
        self._status.note(("audit", connected.dpid), rows.audited(found))
