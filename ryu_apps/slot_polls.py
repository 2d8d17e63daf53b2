"""Reads the counters of slots from switches, for the services that need them: source affinity.

Every second, all switches and such services; the next round waits until the last is answered, so
that a slow switch is not asked ever more.

Must not know: what the counts are for (`ryu_apps.activity`).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

from nib.intent import Service
from openflow.cookies import GROUP_IDS
from ryu_apps.connected import Connected
from ryu_apps.incremental import Incremental
from ryu_apps.mailbox import Mailbox
from ryu_apps.ticks import now_ms

_SECONDS: Final = 1.0
_PATIENCE: Final = 5  # rounds that a switch may owe an answer


class SlotPolls:
    """To be used in the mailbox's thread only. counted: called after each answer."""

    def __init__(
        self,
        state: Incremental,
        switches: Mapping[str, Connected],
        mailbox: Mailbox,
        counted: Callable[[], object],
    ) -> None:
        self._state = state
        self._switches = switches
        self._mailbox = mailbox
        self._counted = counted
        self._owed: dict[str, int] = {}  # rounds, by switch

    def poll(self) -> None:
        """Ask, and go on asking."""
        groups = [
            GROUP_IDS.start + service.number
            for service in self._state.view.all(Service)
            if service.affinity_seconds
        ]
        self._owed = {dpid: self._owed.get(dpid, 0) for dpid in self._switches}
        if groups:
            for connected in self._switches.values():
                self._ask(connected, groups)
        self._mailbox.after(_SECONDS, self.poll)

    def heard(self, connected: Connected, message: Any) -> None:
        """A switch answered, us or another."""
        found = connected.link.counters(message)
        now = now_ms()
        for group, counts in found:
            self._state.counted(group - GROUP_IDS.start, connected.dpid, counts, now)
        if found:
            self._counted()

    def _ask(self, connected: Connected, groups: list[int]) -> None:
        if connected.link.is_counting and self._owed[connected.dpid] < _PATIENCE:
            self._owed[connected.dpid] += 1
        elif connected.session is not None:
            self._owed[connected.dpid] = 0
            connected.link.ask_counters(groups)
