"""Reads switches back by the clock, one after the other, a slice at a time.

A slice that arrives while the switch is being changed says nothing and is asked for again. Between
slices it waits nine times as long as the last one took, so that a sweep costs a tenth of the
controller's time at most, and a change that comes meanwhile waits for one slice, not for a switch.

Must not know: what is done about what is found (`ryu_apps.audits`).
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from operator import itemgetter
from typing import Final, Protocol

from ryu_apps import wire
from ryu_apps.audit import Slice, slices
from ryu_apps.connected import Connected
from ryu_apps.link import ReadBackResult
from ryu_apps.mailbox import Work
from ryu_apps.session import Session

_IDLE_PER_BUSY: Final = 9.0
_AGAIN_SECONDS: Final = 0.1  # a switch that works is looked at again so soon
_PATIENCE_SECONDS: Final = 30.0  # for an answer; then it is asked for again
_LOOK_SECONDS: Final = 1.0


class Timers(Protocol):
    """A mailbox, as far as it is needed here."""

    def after(self, seconds: float, work: Work) -> None: ...


@dataclass(slots=True)
class Pass:
    """One switch, as far as it was read. asked: counts the requests; 0 while none is under way."""

    connected: Connected
    session: Session
    left: deque[Slice]
    asked: int = 0
    asked_at: float = 0.0
    rounds: int = 0


@dataclass(slots=True)
class Handlers:
    """slice_read: a slice of a resting switch; passed: a switch was read to its end."""

    slice_read: Callable[[Connected, Slice, ReadBackResult], None]
    passed: Callable[[Connected], None]


@dataclass(slots=True)
class Sweep:
    """To be used in the mailbox's thread only. seconds: between two passes of one switch."""

    switches: Mapping[str, Connected]
    timers: Timers
    seconds: float
    handlers: Handlers
    _pass: Pass | None = None
    _since: dict[str, tuple[Connected, float]] = field(default_factory=dict)
    _began: float = 0.0
    _count: int = 0

    def start(self) -> None:
        """Begin; never called where switches are not to be read."""
        self.timers.after(min(_LOOK_SECONDS, self.seconds), self._look)

    def read(self, connected: Connected, result: ReadBackResult) -> None:
        """A read-back came that nobody else asked for."""
        under_way = self._pass
        if under_way is None or under_way.connected is not connected or not under_way.asked:
            return
        under_way.asked = 0
        if _is_quiet(under_way) and under_way.session.rounds == under_way.rounds:
            part = under_way.left.popleft()
            self.handlers.slice_read(connected, part, result)
        took = time.monotonic() - under_way.asked_at
        self.timers.after(_IDLE_PER_BUSY * took, self._go_on)

    def _look(self) -> None:
        """Begin with the switch that was not read for the longest time, where one is due."""
        now = time.monotonic()
        self._since = {
            dpid: known
            if (known := self._since.get(dpid)) is not None and known[0] is connected
            else (connected, now)
            for dpid, connected in self.switches.items()
        }
        gap = self.seconds / max(1, len(self.switches))
        due = [
            (since, connected)
            for connected, since in self._since.values()
            if now - since >= self.seconds and connected.is_resting
        ]
        _, first = min(due, key=itemgetter(0), default=(now, None))
        if first is not None and first.session is not None and now - self._began >= gap:
            self._begin(first, first.session, now)
        else:
            self.timers.after(min(_LOOK_SECONDS, gap), self._look)

    def _begin(self, connected: Connected, session: Session, now: float) -> None:
        self._began = now
        self._since[connected.dpid] = (connected, now)
        parts = deque(slices(len(session.installed.flows)))
        self._pass = Pass(connected, session, parts)
        self._go_on()

    def _go_on(self) -> None:
        """Ask for the next slice."""
        under_way = self._pass
        if under_way is None or under_way.asked:
            return
        connected = under_way.connected
        if self.switches.get(connected.dpid) is not connected:
            self._end()
        elif not under_way.left:
            self._end()
            self.handlers.passed(connected)
        elif not _is_quiet(under_way):
            self.timers.after(_AGAIN_SECONDS, self._go_on)
        else:
            self._ask(under_way)

    def _ask(self, under_way: Pass) -> None:
        self._count += 1
        under_way.asked, under_way.asked_at = self._count, time.monotonic()
        under_way.rounds = under_way.session.rounds
        under_way.connected.link.read_back(_request(under_way.left[0]))
        self.timers.after(_PATIENCE_SECONDS, partial(self._overdue, under_way, self._count))

    def _overdue(self, under_way: Pass, asked: int) -> None:
        """The answer did not come: another read-back took its place, or the switch is gone."""
        if self._pass is under_way and under_way.asked == asked:
            under_way.asked = 0
            self._go_on()

    def _end(self) -> None:
        self._pass = None
        self.timers.after(min(_LOOK_SECONDS, self.seconds), self._look)


def _request(part: Slice) -> Callable[[int], bytes]:
    """Makes the message that asks for a slice, given its id."""
    if part.cookies is not None:
        mask, value = part.cookies
        return partial(wire.flows_request, cookie=value, mask=mask)
    return wire.groups_request if part.groups else wire.meters_request


def _is_quiet(under_way: Pass) -> bool:
    return under_way.connected.is_resting and under_way.connected.audit is None
