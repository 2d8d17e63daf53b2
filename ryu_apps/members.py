"""The switches that a leader programs: admitted to the database, then kept in step with each other.

Owns what lies between a connection whose switch took us as its master and the steps of
`ryu_apps.lockstep`: admission, carrying steps out, answers, and what the database says of each
switch.

Must not know: how flows look, what bytes they are, which rows touch which rules.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Mapping
from concurrent.futures import Future
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, Final

from nib.database import Nib
from nib.records import Global
from nib.topology import Switch
from openflow.values import Rules
from ryu_apps import framework, guards, reports, rows
from ryu_apps.audits import Audits
from ryu_apps.connected import Connected
from ryu_apps.diff import Installed
from ryu_apps.incremental import Incremental
from ryu_apps.link import Link
from ryu_apps.lockstep import LATE_SECONDS, Lockstep, Steps
from ryu_apps.mailbox import Mailbox
from ryu_apps.measures import Measures
from ryu_apps.requested import requests_after
from ryu_apps.session import Applied, Phase, Program, ReadBack, Retry, Session
from ryu_apps.status import StatusWriter
from ryu_apps.uncollected import uncollected
from ryu_apps.units import Unit

LOG = logging.getLogger(__name__)

_RETRY_SECONDS: Final = 1.0
_DOUBLE_SECONDS: Final = 30.0  # that a switch keeps its complaint of another with its id
_MAX_PROBLEM: Final = 4000  # characters that the database takes
_NO_GROUPS: Final = (
    "the switch has no select groups; use Open vSwitch 2.6 or later with OpenFlow13 among the "
    "bridge's protocols"
)


@dataclass(frozen=True, slots=True)
class Outside:
    """What members have to do with: the database, the thread they live in, and what is measured."""

    nib: Nib
    mailbox: Mailbox
    status: StatusWriter
    measures: Measures
    audit_seconds: float


class Members:
    """To be used in the mailbox's thread only. connected: by datapath id."""

    def __init__(self, outside: Outside, state: Incremental) -> None:
        self.connected: dict[str, Connected] = {}
        self._nib = outside.nib
        self._mailbox = outside.mailbox
        self._status = outside.status
        self._measures = outside.measures
        self._state = state
        self._seen: set[str] = set()  # in this term
        self._lockstep = Lockstep()
        self.audits = Audits(
            state.view, self.connected, outside.status, outside.measures, self._repair
        )
        self.audits.start(outside.mailbox, outside.audit_seconds)

    # ------------------------------------------------------------------ they come and go

    def connect(self, link: Link) -> None:
        """A switch took us as its master; again, where another was meanwhile."""
        known = self.connected.get(link.dpid)
        if known is not None and known.link is link and known.usable:
            self._seen.discard(link.dpid)  # it is as usable as the database says
        self.disconnect(link, noted=False)
        self._status.forget(("switch", link.dpid))
        self.connected[link.dpid] = Connected(link.dpid, link)
        link.ask_features()

    def disconnect(self, link: Link, *, noted: bool = True) -> None:
        """A switch is gone."""
        connected = self.connected.pop(link.dpid, None)
        if connected is None:
            return
        self._carry(self._lockstep.leave(link.dpid))
        if noted:
            connected.usable = False
            self.note(connected)

    def features(self, connected: Connected, message: Any) -> None:
        """A switch said which groups it has."""
        if connected.switch is not None:
            return
        problem = "" if reports.has_select_groups(message.body) else _NO_GROUPS
        name = framework.bridge_name(message.datapath)
        first = connected.dpid not in self._seen
        change = rows.admit(connected.dpid, name, problem, taken_over=first)
        known = self._state.view.get(Switch, connected.dpid)
        if known is not None:  # it has its zone; the database may be away
            self._status.note(("admit", connected.dpid), change)
            usable = first and known.connected
            self._begin(connected, replace(known, connected=usable, problem=problem))
            return
        self._nib.write(change).add_done_callback(
            lambda done: self._mailbox.post(lambda: self._admitted(connected, done))
        )

    def _admitted(self, connected: Connected, future: Future[Any]) -> None:
        if self.connected.get(connected.dpid) is not connected:
            return
        if future.exception() is not None:
            LOG.warning("switch %s not admitted yet: %s", connected.dpid, future.exception())
            self._mailbox.after(_RETRY_SECONDS, connected.link.ask_features)
            return
        self._begin(connected, future.result().value)

    def _begin(self, connected: Connected, switch: Switch) -> None:
        """The switch's zone is known: make it as wanted."""
        self._seen.add(connected.dpid)
        connected.switch = switch
        connected.usable = switch.connected
        if switch.problem:
            LOG.error("switch %s: %s", connected.dpid, switch.problem)
            return
        connected.session = Session(self._state.all_rules(switch), self._state.generation)
        self._carry(self._lockstep.join(connected.dpid, connected.session))

    def forgotten(self, dpid: str) -> None:
        """Somebody deleted the switch's row: where the switch is there, it gets a new one."""
        connected = self.connected.get(dpid)
        if connected is not None and connected.switch is not None:
            self.connect(connected.link)

    def doubled(self, dpid: str, problem: str) -> None:
        """Another switch with this datapath id was refused."""
        connected = self.connected.get(dpid)
        if connected is None:
            return
        connected.double = problem
        self.note(connected)
        self._mailbox.after(_DOUBLE_SECONDS, partial(self._single_again, connected, problem))

    def _single_again(self, connected: Connected, problem: str) -> None:
        if connected.double == problem and self.connected.get(connected.dpid) is connected:
            connected.double = ""
            self.note(connected)

    # ------------------------------------------------------------------ what they shall hold

    def want(
        self, rules: Callable[[Switch], Mapping[Unit, Rules]], generation: int, came: float
    ) -> None:
        """Rules changed, at a time (monotonic seconds). rules: those that changed, of a switch."""
        parts = {
            dpid: rules(connected.switch)
            for dpid, connected in self.connected.items()
            if connected.session is not None and connected.switch is not None
        }
        for dpid, part in parts.items():
            connected = self.connected[dpid]
            if part or connected.applied != generation:
                connected.began = connected.began or came
        self._carry(self._lockstep.want(parts, generation))

    def adopted(self) -> None:
        """The database may program switches that another one programmed: read those back."""
        for connected in self.connected.values():
            if connected.held:
                connected.link.read_back()

    # ------------------------------------------------------------------ what they answer

    @uncollected
    def reply(self, connected: Connected, message: Any, read: Callable[[Any], Any]) -> None:
        """A part of a read-back."""
        result = connected.link.reply(message, read)
        if connected.session is None or result is None:
            return
        if connected.session.phase is not Phase.READING:
            self.audits.read(connected, result)
            return
        flows = result.installed.flows.values()
        connected.held = guards.objection(flows, self._state.view.need(Global, ()))
        if connected.usable and not guards.holds_ours(flows):
            connected.usable = False  # it lost all while nobody led
            self.note(connected)
        if connected.held:
            LOG.error("switch %s: %s", connected.dpid, connected.held)
            self.note(connected)
        else:
            self._carry(self._lockstep.read(connected.dpid, result.installed))

    @uncollected
    def barrier(self, connected: Connected, xid: int) -> None:
        """A barrier was answered."""
        refused = connected.link.barrier(xid)
        if connected.session is not None and refused is not None:
            self._carry(self._lockstep.acknowledged(connected.dpid, refused))

    def _repair(self, dpid: str, holds: Installed) -> None:
        """A switch that rests does not hold what it should."""
        self._carry(self._lockstep.read(dpid, holds))

    def _carry(self, steps: Steps) -> None:
        """Do what is next."""
        for dpid, step in steps:
            connected = self.connected.get(dpid)
            if connected is None:
                continue
            match step:
                case ReadBack():
                    connected.audit = None  # its read-back, if any, is overtaken
                    connected.link.read_back()
                case Program(batch):
                    self._program(connected, batch)
                case Applied(generation):
                    self._applied(connected, generation)
                case Retry(seconds):
                    self._failed(connected, seconds)

    def _program(self, connected: Connected, batch: Any) -> None:
        self._measures.messages.labels(connected.dpid).inc(sum(map(len, batch)))
        connected.link.program(batch)
        overdue = partial(self._overdue, connected, connected.link.under_way)
        self._mailbox.after(LATE_SECONDS, overdue)

    def _overdue(self, connected: Connected, sent: int | None) -> None:
        """A second after a batch was sent: the others wait no longer for its acknowledgement."""
        is_present = self.connected.get(connected.dpid) is connected
        if is_present and sent is not None and connected.link.under_way == sent:
            LOG.info("switch %s answers late", connected.dpid)
            self._carry(self._lockstep.late(connected.dpid))

    def _applied(self, connected: Connected, generation: int) -> None:
        if connected.began is not None:
            self._measures.took("switch", connected.began)
            connected.began = None
        self._measures.applied.labels(connected.dpid).set(generation)
        if not connected.applied:
            self._measures.ready.labels(connected.dpid).set(time.monotonic() - connected.since)
        if generation != connected.applied or not connected.usable:
            if LOG.isEnabledFor(logging.DEBUG):
                LOG.debug(
                    "switch %s applied generation %d",
                    connected.dpid,
                    generation,
                    extra=self._behind(connected, generation),
                )
            connected.applied = generation
            connected.usable = True
            self.note(connected)
        self.audits.begin(connected)

    def _failed(self, connected: Connected, seconds: float) -> None:
        LOG.error(
            "switch %s %s; reading back in %s s",
            connected.dpid,
            connected.problem,
            seconds,
            extra=self._behind(connected, self._state.generation),
        )
        connected.applied = 0
        self.note(connected)
        self._mailbox.after(seconds, partial(self._retry, connected))

    def _behind(self, connected: Connected, generation: int) -> dict[str, Any]:
        """What log lines say of a generation: its number, and the requests behind it."""
        request = requests_after(connected.applied, generation, self._state.view)
        return {"generation": generation, "request": request}

    def _retry(self, connected: Connected) -> None:
        if self.connected.get(connected.dpid) is connected:
            self._carry(self._lockstep.retry(connected.dpid))

    # ------------------------------------------------------------------

    def note(self, connected: Connected) -> None:
        """Have the database say how the switch is."""
        status = rows.switch_status(
            connected.dpid,
            connected=connected.usable,
            applied=connected.applied,
            problem=connected.problem[:_MAX_PROBLEM],
        )
        self._status.note(("switch", connected.dpid), status)
