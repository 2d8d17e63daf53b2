"""The app that keeps switches as intent wants them.

Watches the database, compiles what changed, and carries every switch's session on: read-back,
batches, barriers, acknowledgement. What it decides and learns (slot tables, generations that
switches acknowledged, problems) goes back into the database. All of it happens in one thread, the
mailbox's; the framework's handlers and the database's callbacks only post to it.

Must not know: how flows look (`gateway_lb.pipeline`) or what bytes they are (`ryu_apps.wire`).
"""

from __future__ import annotations

import logging
import threading
import time
from collections import deque
from concurrent.futures import Future
from typing import Any, Final

from nib.database import Nib
from nib.errors import NibUnavailable
from nib.records import Switch
from nib.watch import Batch
from ryu_apps import framework, reports, rows
from ryu_apps.audits import Audits
from ryu_apps.units import Unit
from ryu_apps.connected import Connected
from ryu_apps.context import ControllerContext
from ryu_apps.deadlines import Deadlines
from ryu_apps.framework import DEAD, MAIN, ofp_event, on
from ryu_apps.incremental import Incremental
from ryu_apps.link import Link
from ryu_apps.mailbox import Mailbox
from ryu_apps.session import Applied, Phase, Program, ReadBack, Retry, Session, Step
from ryu_apps.slot_polls import SlotPolls
from ryu_apps.status import StatusWriter
from ryu_apps.ticks import Ticks, now_ms

LOG = logging.getLogger(__name__)

_CHECK_SECONDS: Final = 1.0
_LOAD_SECONDS: Final = 60.0
_MAX_PROBLEM: Final = 4000  # characters that the database takes
_NO_GROUPS: Final = (
    "the switch has no select groups; use Open vSwitch 2.6 or later with OpenFlow13 among the "
    "bridge's protocols"
)


class Reconciler(framework.App):  # type: ignore[misc]
    """See the module."""

    OFP_VERSIONS = (framework.ofproto.OFP_VERSION,)
    _CONTEXTS = {"controller": ControllerContext}  # noqa: RUF012 - the framework's own form

    def __init__(self, *args: Any, controller: ControllerContext, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._nib: Nib = controller.nib
        self._measures = controller.measures
        self._mailbox = Mailbox("reconciler")
        self._status = StatusWriter(self._nib, self._mailbox)
        self._state = Incremental()
        self._switches: dict[str, Connected] = {}
        self._batches: deque[tuple[float, Batch]] = deque()
        self._ticks = Ticks(self._mailbox, self._tick, controller.settings.tick_ms)
        self._slot_polls = SlotPolls(self._state, self._switches, self._mailbox, self._ask_tick)
        self._audits = Audits(self._state.view, self._switches, self._status)
        self._deadlines = Deadlines(
            self._state.view, self._mailbox, self._status, self._measures.lease_expirations
        )
        self._epoch = self._nib.write(rows.lead(controller.settings.controller_name)).result().value
        self._load()

    def start(self) -> Any:
        """Begin to work; called by the framework when all apps are there."""
        self._mailbox.start()
        self._mailbox.post(self._check_links)
        self._mailbox.post(self._slot_polls.poll)
        return super().start()

    def close(self) -> None:
        """End; switches keep forwarding by what they hold."""
        self._mailbox.close()

    def _load(self) -> None:
        """Have the whole database in the mailbox before any switch."""
        loaded = threading.Event()

        def heard(batch: Batch) -> None:
            self._batches.append((time.monotonic(), batch))
            self._mailbox.post(self._absorb)
            loaded.set()

        self._watch = self._nib.watch(heard)
        if not loaded.wait(_LOAD_SECONDS):
            raise NibUnavailable(self._nib.remote, f"not loaded within {_LOAD_SECONDS} s")

    # ------------------------------------------------------------------ what the framework says

    @on(ofp_event.EventOFPStateChange, MAIN)
    def _heard_up(self, event: Any) -> None:
        self._mailbox.post(lambda: self._up(event.datapath))

    @on(ofp_event.EventOFPStateChange, DEAD)
    def _heard_down(self, event: Any) -> None:
        self._mailbox.post(lambda: self._down(event.datapath))

    @on(ofp_event.EventOFPGroupFeaturesStatsReply, MAIN)
    def _heard_features(self, event: Any) -> None:
        self._mailbox.post(lambda: self._features(event.msg))

    @on(ofp_event.EventOFPFlowStatsReply, MAIN)
    def _heard_flows(self, event: Any) -> None:
        self._mailbox.post(lambda: self._reply(event.msg, reports.flow_of))

    @on(ofp_event.EventOFPGroupDescStatsReply, MAIN)
    def _heard_groups(self, event: Any) -> None:
        self._mailbox.post(lambda: self._reply(event.msg, reports.group_of))

    @on(ofp_event.EventOFPGroupStatsReply, MAIN)
    def _heard_counters(self, event: Any) -> None:
        self._mailbox.post(lambda: self._counters(event.msg))

    @on(ofp_event.EventOFPMeterConfigStatsReply, MAIN)
    def _heard_meters(self, event: Any) -> None:
        self._mailbox.post(lambda: self._reply(event.msg, reports.meter_of))

    @on(ofp_event.EventOFPBarrierReply, MAIN)
    def _heard_barrier(self, event: Any) -> None:
        self._mailbox.post(lambda: self._barrier(event.msg))

    @on(ofp_event.EventOFPErrorMsg, framework.EVERY_PHASE)
    def _heard_error(self, event: Any) -> None:
        self._mailbox.post(lambda: self._error(event.msg))

    # ------------------------------------------------------------------ switches come and go

    def _up(self, datapath: Any) -> None:
        dpid = f"{datapath.id:016x}"
        LOG.info("switch %s connected", dpid)
        self._switches[dpid] = Connected(dpid, Link(datapath, self._epoch))
        self._status.forget(("switch", dpid))
        self._switches[dpid].link.ask_features()

    def _down(self, datapath: Any) -> None:
        connected = self._of(datapath)
        if connected is None:
            return  # it has a newer connection, or was noticed before
        LOG.warning("switch %s disconnected", connected.dpid)
        del self._switches[connected.dpid]
        self._measures.connected.labels(connected.dpid).set(0)
        self._note(connected, up=False)

    def _check_links(self) -> None:
        """os-ken tells of a lost connection only with its next echo request; look ourselves."""
        self._deadlines.hear(self._nib.connected)
        for connected in list(self._switches.values()):
            if not connected.link.is_open:
                framework.end(connected.link.datapath)
                self._down(connected.link.datapath)
        self._mailbox.after(_CHECK_SECONDS, self._check_links)

    def _features(self, message: Any) -> None:
        connected = self._of(message.datapath)
        if connected is None or connected.switch is not None:
            return
        problem = "" if reports.has_select_groups(message.body) else _NO_GROUPS
        name = framework.bridge_name(message.datapath)
        future = self._nib.write(rows.admit(connected.dpid, name, problem))
        future.add_done_callback(
            lambda done: self._mailbox.post(lambda: self._admitted(connected, done))
        )

    def _admitted(self, connected: Connected, future: Future[Any]) -> None:
        if self._switches.get(connected.dpid) is not connected:
            return
        if future.exception() is not None:
            LOG.warning("switch %s not admitted yet: %s", connected.dpid, future.exception())
            self._mailbox.after(_CHECK_SECONDS, connected.link.ask_features)
            return
        switch: Switch = future.result().value
        self._measures.connected.labels(connected.dpid).set(1)
        connected.switch = switch
        if switch.problem:
            LOG.error("switch %s: %s", connected.dpid, switch.problem)
            return
        connected.session = Session(self._state.all_rules(switch), self._state.generation)
        self._carry(connected, ReadBack())

    # ------------------------------------------------------------------ what switches answer

    def _reply(self, message: Any, read: Any) -> None:
        connected = self._of(message.datapath)
        result = connected.link.reply(message, read) if connected else None
        if connected is None or connected.session is None or result is None:
            return
        if connected.session.phase is Phase.READING:
            self._carry(connected, connected.session.read(result.installed))
        else:
            self._audits.read(connected, result)

    def _barrier(self, message: Any) -> None:
        connected = self._of(message.datapath)
        refused = connected.link.barrier(message.xid) if connected else None
        if connected is None or connected.session is None or refused is None:
            return
        self._carry(connected, connected.session.acknowledged(refused))

    def _counters(self, message: Any) -> None:
        connected = self._of(message.datapath)
        if connected is not None:
            self._slot_polls.heard(connected, message)

    def _error(self, message: Any) -> None:
        connected = self._of(message.datapath)
        if connected is not None:
            connected.link.refused(message)
            self._measures.errors.labels(connected.dpid).inc()

    def _carry(self, connected: Connected, step: Step | None) -> None:
        """Do what a session says is next."""
        match step:
            case ReadBack():
                connected.link.read_back()
            case Program(batch):
                self._measures.messages.labels(connected.dpid).inc(sum(map(len, batch)))
                connected.link.program(batch)
            case Applied(generation):
                self._applied(connected, generation)
            case Retry(seconds):
                self._failed(connected, seconds)

    def _applied(self, connected: Connected, generation: int) -> None:
        if connected.began is not None:
            self._measures.took("switch", connected.began)
            connected.began = None
        self._measures.applied.labels(connected.dpid).set(generation)
        if generation != connected.applied:
            connected.applied = generation
            self._note(connected)
        self._audits.begin(connected)

    def _failed(self, connected: Connected, seconds: float) -> None:
        session = connected.session
        if session is None:
            return
        LOG.error("switch %s %s; reading back in %s s", connected.dpid, session.problem, seconds)
        connected.applied = 0
        self._note(connected)
        self._mailbox.after(seconds, lambda: self._carry(connected, session.retry()))

    # ------------------------------------------------------------------ what the database says

    def _absorb(self) -> None:
        """Take up all changes that came since; they often come in quick succession."""
        if not self._batches:
            return
        came = self._batches[0][0]
        began = self._measures.took("queued", came)
        touched: set[Unit] = set()
        while self._batches:
            batch = self._batches.popleft()[1]
            touched |= self._state.absorb(batch.changes, batch.generation, now_ms())
            self._deadlines.watch(batch.changes)
            self._measures.count_demand(batch.changes)
            self._audits.watch(batch.changes)
        self._spread(touched, came)
        self._measures.took("compile", began)
        self._ask_tick()

    def _ask_tick(self) -> None:
        """Have a tick when slots are due to be dealt."""
        self._ticks.ask(self._state.due_ms(now_ms()))

    def _tick(self) -> None:
        """Deal the slots of all services that became due since the last tick."""
        began, now = time.monotonic(), now_ms()
        if self._state.is_due(now):
            self._spread(self._state.tick(now), began)
            self._measures.took("tick", began)
        self._ask_tick()

    def _spread(self, touched: set[Unit], came: float) -> None:
        """Save what was decided, and have every switch hold it."""
        for service, table in self._state.take_unsaved_slots().items():
            self._status.note(("slots", service), rows.save_slots(service, table))
            if table is None:
                self._measures.forget(service)
        self._measures.count_moved_slots(self._state.take_moved_slots())
        for connected in self._switches.values():
            if connected.session is not None and connected.switch is not None:
                parts = self._state.rules(touched, connected.switch)
                self._want(connected, connected.session, parts, came)

    def _want(self, connected: Connected, session: Session, parts: Any, came: float) -> None:
        if not parts and self._state.generation == connected.applied:
            return
        connected.began = connected.began or came
        self._carry(connected, session.want(parts, self._state.generation))

    # ------------------------------------------------------------------

    def _of(self, datapath: Any) -> Connected | None:
        """The switch whose present connection this is."""
        connected = self._switches.get(f"{datapath.id or 0:016x}")
        return connected if connected and connected.link.datapath is datapath else None

    def _note(self, connected: Connected, *, up: bool = True) -> None:
        """Have the database say how the switch is."""
        problem = connected.problem[:_MAX_PROBLEM]
        status = rows.switch_status(
            connected.dpid, connected=up, applied=connected.applied, problem=problem
        )
        self._status.note(("switch", connected.dpid), status)
