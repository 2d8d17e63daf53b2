"""Switches that change together: every switch's next step, in an order that all of them keep.

A *round* carries the changes of all its switches through the phases of `ryu_apps.order`, each phase
begun only when every switch has acknowledged the one before; what comes meanwhile waits for the
next round. A switch that was just connected, failed, or answers late is *solo*: it has rounds of
its own and holds nobody up, until it is up to date and joins the others again.

Pure: it is told what happened and returns steps, by datapath id; `ryu_apps.reconciler` carries them
out. Must not know: connections, time, what rules mean.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Mapping
from typing import Final

from openflow.values import Rules
from ryu_apps.diff import Installed
from ryu_apps.order import Batch, Part, joined
from ryu_apps.session import Phase, Program, ReadBack, Session, Step
from ryu_apps.units import Unit

# A switch that does not answer for so long (seconds) is told of by `Lockstep.late`.
LATE_SECONDS: Final = 1.0

Steps = list[tuple[str, Step]]


class Round:
    """The changes of some switches on their way: what is left of each, and who has to answer."""

    def __init__(self, parts: Mapping[str, Iterable[Part]] | None = None) -> None:
        """parts: by dpid; a switch may have none."""
        self._left = {dpid: deque(found) for dpid, found in (parts or {}).items()}
        self._sent: dict[str, Batch] = {}

    @property
    def is_over(self) -> bool:
        """Whether nothing is left to send or to be answered."""
        return not self._sent and not any(self._left.values())

    def __contains__(self, dpid: str) -> bool:
        """Whether a switch takes part."""
        return dpid in self._left

    def sent(self, dpid: str) -> Batch | None:
        """What a switch has not answered yet."""
        return self._sent.get(dpid)

    def next(self) -> dict[str, Batch]:
        """The batches of the next phase, by dpid; none while an answer is missing."""
        if self._sent:
            return {}
        busy = [dpid for dpid, left in self._left.items() if left]
        if len(busy) == 1:  # nobody to wait for
            self._left[busy[0]] = deque(joined(self._left[busy[0]]))
        now = min((self._left[dpid][0].when for dpid in busy), default=None)
        for dpid in busy:
            if self._left[dpid][0].when == now:
                self._sent[dpid] = self._left[dpid].popleft().batch
        return dict(self._sent)

    def answered(self, dpid: str) -> None:
        """A switch acknowledged what it was sent."""
        del self._sent[dpid]

    def leave(self, dpid: str) -> Round:
        """A switch goes its own way; returns a round of it alone, with what it has left."""
        own = Round({dpid: self._left.pop(dpid)})
        if dpid in self._sent:
            own._sent[dpid] = self._sent.pop(dpid)
        return own

    def end(self) -> list[str]:
        """Nobody takes part any more; returns who did."""
        members, self._left = list(self._left), {}
        return members


class Lockstep:
    """All switches that are connected. A method's steps are to be carried out in their order."""

    def __init__(self) -> None:
        self._sessions: dict[str, Session] = {}
        self._together = Round()
        self._solo: dict[str, Round] = {}

    def session(self, dpid: str) -> Session | None:
        """The session of a joined switch."""
        return self._sessions.get(dpid)

    def join(self, dpid: str, session: Session) -> Steps:
        """A switch is there; it begins by itself. One of the same dpid is gone by that."""
        steps = self.leave(dpid)
        self._sessions[dpid] = session
        self._solo[dpid] = Round()
        return [*steps, (dpid, ReadBack())]

    def leave(self, dpid: str) -> Steps:
        """A switch is gone; the others may go on."""
        self._sessions.pop(dpid, None)
        self._solo.pop(dpid, None)
        if dpid in self._together:
            self._together.leave(dpid)
        return self._go_on()

    def want(self, parts: Mapping[str, Mapping[Unit, Rules]], generation: int) -> Steps:
        """What switches shall hold, by dpid: the rules of some units, or none, as of a generation.

        Empty rules: the unit is gone. A switch that is not joined is passed over.
        """
        for dpid, units in parts.items():
            if dpid in self._sessions:
                self._sessions[dpid].want(units, generation)
        return self._go_on()

    def read(self, dpid: str, installed: Installed) -> Steps:
        """A switch was read back; one that rests may be at any time. Passed over when it works."""
        session = self._sessions.get(dpid)
        if session is None or session.phase not in (Phase.READING, Phase.RESTING):
            return []
        session.read(installed)
        return self._alone(dpid) if dpid in self._solo else self._go_on()

    def acknowledged(self, dpid: str, errors: Iterable[str]) -> Steps:
        """A switch answered a batch's last barrier; errors: what it refused of the batch."""
        under_way = self._solo.get(dpid, self._together)
        batch = under_way.sent(dpid)
        if batch is None:
            return []
        under_way.answered(dpid)
        refused = list(errors)
        if refused:
            return [*self._failed(dpid, refused), *self._go_on()]
        self._sessions[dpid].confirm(batch)
        return self._alone(dpid) if dpid in self._solo else self._go_on()

    def retry(self, dpid: str) -> Steps:
        """The time of a Retry is over."""
        session = self._sessions.get(dpid)
        return [(dpid, ReadBack())] if session is not None and session.retry() else []

    def late(self, dpid: str) -> Steps:
        """A switch did not answer in LATE_SECONDS: the others go on without it."""
        if self._together.sent(dpid) is None:
            return []
        self._solo[dpid] = self._together.leave(dpid)
        return self._go_on()

    def _failed(self, dpid: str, refused: list[str]) -> Steps:
        """A switch is out of its round, alone until it holds what it shall hold."""
        if dpid in self._together:
            self._together.leave(dpid)
        self._solo[dpid] = Round()
        return [(dpid, self._sessions[dpid].fail(refused))]

    def _go_on(self) -> Steps:
        """The round of those together, and the next ones as far as they go without an answer."""
        steps: Steps = []
        while True:
            steps += self._carried(self._together)
            members = [dpid for dpid in self._sessions if dpid not in self._solo]
            due = any(self._sessions[dpid].is_due for dpid in members)
            if not self._together.is_over or not due:
                return steps
            self._together, refused = self._begun(members)
            steps += refused

    def _alone(self, dpid: str) -> Steps:
        """The same for a switch that is solo; up to date, it is with the others again."""
        steps: Steps = []
        session = self._sessions[dpid]
        while dpid in self._solo:
            steps += self._carried(self._solo[dpid])
            if session.phase is not Phase.RESTING:
                return steps
            if not session.is_due:
                del self._solo[dpid]
                return steps
            self._solo[dpid], refused = self._begun([dpid])
            steps += refused
        return steps

    def _begun(self, members: list[str]) -> tuple[Round, Steps]:
        """A new round of these switches, and the steps of those that cannot take part."""
        parts: dict[str, list[Part]] = {}
        steps: Steps = []
        for dpid in members:
            try:
                parts[dpid] = self._sessions[dpid].begin()
            except ValueError as error:  # a compiler's fault in one switch is no other's
                steps += self._failed(dpid, [str(error)])
        return Round(parts), steps

    def _carried(self, under_way: Round) -> Steps:
        """The next phase's batches; at the end of the round what its switches hold."""
        steps: Steps = [(dpid, Program(batch)) for dpid, batch in under_way.next().items()]
        if under_way.is_over:
            steps += [(dpid, self._sessions[dpid].end()) for dpid in under_way.end()]
        return steps
