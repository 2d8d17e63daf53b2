"""Asking the controller to read a switch back, by the row that it does so for.

Must not know: who asks, or what for.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from nib.draft import Draft
from nib.errors import Conflict
from nib.mirror import Lookups
from nib.records import Audit
from nib.topology import Switch


def audit_requested(dpid: str) -> Callable[[Draft], int]:
    """Ask for a read-back; returns the request's number."""

    def change(draft: Draft) -> int:
        switch = draft.need(Switch, dpid)
        if not switch.connected:
            raise Conflict("dpid", f"switch {dpid} is not connected", "connect it, then ask again")
        known = draft.get(Audit, dpid) or Audit(dpid)
        return draft.put(replace(known, requested=known.requested + 1)).requested

    return change


def audit_finished(view: Lookups, dpid: str) -> int:
    """The number of the last request that was answered; 0: none was."""
    row = view.get(Audit, dpid)
    return row.finished if row else 0
