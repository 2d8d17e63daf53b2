"""One term of leadership: from the whole database to its changes, and to what switches shall hold.

Begins with nothing and ends with its epoch, so that a leader never acts on what was so before it
led. It has the compiled state of the database, the switches that took us as master, and what a
leader does by the clock (draining, leases, slots).

Must not know: how a controller comes to lead, how flows look or what bytes they are.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable
from functools import partial
from typing import Any, Final

from nib.mirror import RowChange
from nib.records import Global, LocalSlots, SlotTable
from nib.topology import Switch
from nib.watch import Batch
from ryu_apps import guards, reports, rows
from ryu_apps.chronicle import Told
from ryu_apps.connected import Connected
from ryu_apps.context import ControllerContext
from ryu_apps.deadlines import Deadlines
from ryu_apps.incremental import Incremental
from ryu_apps.link import Link
from ryu_apps.mailbox import Branch, Mailbox
from ryu_apps.members import Members, Outside
from ryu_apps.policy_polls import PolicyPolls, Rates
from ryu_apps.slot_polls import SlotPolls
from ryu_apps.status import StatusWriter
from ryu_apps.telling import Telling
from ryu_apps.ticks import Ticks, now_ms
from ryu_apps.units import Unit

_CHECK_SECONDS: Final = 1.0

# A new leader takes the switches that the one before it had for usable so long, until they connect.
_GRACE_SECONDS: Final = 5.0

_READERS: Final[dict[str, Callable[[Any], Any]]] = {
    "flows": reports.flow_of,
    "groups": reports.group_of,
    "meters": reports.meter_of,
}


class Term:
    """To be used in the mailbox's thread only. replaced: called when the database became another
    one; the term should end then."""

    def __init__(
        self,
        controller: ControllerContext,
        mailbox: Mailbox,
        epoch: int,
        replaced: Callable[[], object],
    ) -> None:
        self.epoch = epoch
        self._nib = controller.nib
        self._measures = controller.measures
        self._mailbox = Branch(mailbox)
        self._replaced = replaced
        self._status = StatusWriter(self._nib, self._mailbox)
        self._state = Incremental()
        self._batches: deque[tuple[float, Batch]] = deque()
        self._is_loaded = False
        self._early: list[Link] = []
        outside = Outside(
            self._nib,
            self._mailbox,
            self._status,
            self._measures,
            controller.settings.audit_seconds,
        )
        self._members = Members(outside, self._state)
        self._ticks = Ticks(self._mailbox, self._tick, controller.settings.tick_ms)
        switches = self._members.connected
        self._slot_polls = SlotPolls(self._state, switches, self._mailbox, self._ask_tick)
        view = self._state.view
        self._policy_polls = PolicyPolls(view, switches, self._mailbox, self._offered)
        expirations = self._measures.lease_expirations
        self._name = controller.settings.controller_name
        name = f"controller {self._name}"
        self._deadlines = Deadlines(view, self._mailbox, self._status, expirations, actor=name)
        self._telling = Telling(self._mailbox, self._status, name)
        self._watch = self._nib.watch(self._heard)
        self._mailbox.post(self._check)
        self._mailbox.post(self._slot_polls.poll)
        self._mailbox.post(self._policy_polls.poll)
        self._mailbox.after(_GRACE_SECONDS, self._miss)

    def end(self) -> None:
        """Act no more; switches keep forwarding by what they hold."""
        self._watch.close()
        self._mailbox.close()

    # ------------------------------------------------------------------ switches

    def connect(self, link: Link) -> None:
        """A switch took us as its master in this epoch."""
        link.reset()
        link.epoch = self.epoch
        if self._is_loaded:
            self._members.connect(link)
        else:
            self._early.append(link)

    def disconnect(self, link: Link) -> None:
        """A switch is gone."""
        self._early = [each for each in self._early if each is not link]
        self._members.disconnect(link)

    def doubled(self, dpid: str, problem: str) -> None:
        """Another switch with this datapath id was refused."""
        self._members.doubled(dpid, problem)

    def features(self, link: Link, message: Any) -> None:
        """A switch said which groups it has."""
        connected = self._of(link)
        if connected is not None:
            self._members.features(connected, message)

    def reply(self, link: Link, message: Any, kind: str) -> None:
        """A part of a read-back, of flows, groups or meters; or flows that were counted."""
        connected = self._of(link)
        if connected is None:
            return
        self._members.reply(connected, message, _READERS[kind])
        if kind == "flows":
            self._policy_polls.heard(connected, message)

    def barrier(self, link: Link, xid: int) -> None:
        """A barrier was answered."""
        connected = self._of(link)
        if connected is not None:
            self._members.barrier(connected, xid)

    def counters(self, link: Link, message: Any) -> None:
        """Counters of groups came."""
        connected = self._of(link)
        if connected is not None:
            self._slot_polls.heard(connected, message)

    def _of(self, link: Link) -> Connected | None:
        connected = self._members.connected.get(link.dpid)
        return connected if connected is not None and connected.link is link else None

    def _miss(self) -> None:
        """The grace is over: what has not connected is not usable."""
        for switch in self._state.view.all(Switch):
            if switch.connected and switch.dpid not in self._members.connected:
                self._status.note(("switch", switch.dpid), rows.gone(switch.dpid))

    # ------------------------------------------------------------------ what the database says

    def _heard(self, batch: Batch) -> None:
        self._batches.append((time.monotonic(), batch))
        self._mailbox.post(self._absorb)

    def _absorb(self) -> None:
        """Take up all changes that came since; they often come in quick succession."""
        if not self._batches:
            return
        came = self._batches[0][0]
        began = self._measures.took("queued", came)
        touched: set[Unit] = set()
        changes: list[RowChange] = []
        while self._batches:
            batch = self._batches.popleft()[1]
            if any(map(guards.is_replacement, batch.changes)):
                self._replaced()
                return
            touched |= self._state.absorb(batch.changes, batch.generation, now_ms())
            changes += batch.changes
        if self._state.view.count(Global) == 0:
            return  # an empty database in the place of ours: nothing is known yet
        self._deadlines.watch(changes)
        self._measures.count_demand(changes)
        self._members.audits.watch(changes)
        self._spread(touched, came)
        self._measures.took("compile", began)
        self._ask_tick()
        if self._is_loaded:
            for change in changes:
                self._telling.hear(change)
        self._become_loaded()
        for change in changes:
            self._look(change)

    def _become_loaded(self) -> None:
        if not self._is_loaded:
            self._telling.tell(Told("leader", self._name, "elected", f"epoch {self.epoch}"))
        self._is_loaded = True
        early, self._early = self._early, []
        for link in early:
            self._members.connect(link)

    def _look(self, change: RowChange) -> None:
        """Changes that mean more than what they make of rules."""
        match change.old, change.new:
            case Switch(dpid=dpid), None:
                self._members.forgotten(dpid)
            case Global() as old, Global() as new if old.predecessors != new.predecessors:
                self._members.adopted()

    def _offered(self, rates: Rates, now: int) -> None:
        """What is offered of divided policies was read anew."""
        self._state.policing.offered(rates, now)
        self._ask_tick()

    def _ask_tick(self) -> None:
        """Have a tick when slots are due to be dealt."""
        self._ticks.ask(self._state.due_ms(now_ms()))

    def _tick(self) -> None:
        """Deal the slots of all services that became due, and police what did, since the last."""
        began, now = time.monotonic(), now_ms()
        if self._state.is_due(now):
            self._spread(self._state.tick(now), began)
            self._measures.took("tick", began)
        self._ask_tick()

    def _spread(self, touched: set[Unit], came: float) -> None:
        """Save what was decided, and have every switch hold it."""
        for service, table in self._state.tables.take_unsaved().items():
            self._status.note(("slots", service), rows.save(SlotTable, service, table))
            if table is None:
                self._measures.forget(service)
        for key, local in self._state.local_tables.take_unsaved().items():
            self._status.note(("local slots", *key), rows.save(LocalSlots, key, local))
        for policy, rate in self._state.rating.rates.take_unsaved().items():
            self._status.note(("rate", policy), rows.save_rate(policy, rate))
        for share_key, share in self._state.policing.shares.take_unsaved().items():
            self._status.note(("share", *share_key), rows.save_share(share_key, share))
        self._measures.count_moved_slots(self._state.take_moved_slots())
        rules = partial(self._state.rules, touched)
        self._members.want(rules, self._state.generation, came)

    def _check(self) -> None:
        self._deadlines.hear(self._nib.connected)
        self._mailbox.after(_CHECK_SECONDS, self._check)
