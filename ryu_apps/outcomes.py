"""The app that watches what becomes of connections, and leaves out containers that fail them.

For every service with passive ejection, while this controller leads: once a window the counters of
its containers' flows are read in all switches, and `gateway_lb.ejection` judges them. Its judgement
becomes Ejected rows, which deal slots anew like any other row about a container.

Must not know: what a failure is, how slots are dealt.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Final

from gateway_lb.ejection import Judgement, Watch, judge
from gateway_lb.lifecycle import is_ready
from nib.database import Nib
from nib.intent import Container, Service
from nib.mirror import Lookups
from nib.observed import Ejected
from nib.watch import Batch
from openflow.cookies import EPOCH_MASK, Cookie, Kind
from ryu_apps import framework, reports, rows, wire
from ryu_apps.context import ControllerContext
from ryu_apps.framework import DEAD, MAIN, ofp_event, on
from ryu_apps.mailbox import Mailbox
from ryu_apps.message_ids import OUTCOMES, message_ids
from ryu_apps.rounds import Rounds
from ryu_apps.status import StatusWriter
from ryu_apps.tallies import Tallies
from ryu_apps.ticks import now_ms

_PATIENCE_SECONDS: Final = 5.0
_ALL_BITS: Final = (1 << 64) - 1
_ONE: Final = _ALL_BITS & ~EPOCH_MASK  # one container's flows, whoever wrote them
_EVERY: Final = _ONE & ~0xFFFF_FFFF  # every container's


@dataclass(slots=True)
class _Watched:
    """A service with ejection: its counters, and what is remembered of its containers."""

    tallies: Tallies = field(default_factory=Tallies)
    watched: dict[str, Watch] = field(default_factory=dict)


class Outcomes(framework.App):  # type: ignore[misc]
    """See the module."""

    OFP_VERSIONS = (framework.ofproto.OFP_VERSION,)
    _CONTEXTS = {"controller": ControllerContext}  # noqa: RUF012 - the framework's own form

    def __init__(self, *args: Any, controller: ControllerContext, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._nib: Nib = controller.nib
        self._leadership = controller.leadership
        self._ejections = controller.measures.ejections
        self._mailbox = Mailbox("outcomes")
        self._status = StatusWriter(self._nib, self._mailbox)
        self._datapaths: dict[str, Any] = {}
        self._services: dict[str, _Watched] = {}
        self._rounds = Rounds(_PATIENCE_SECONDS)
        self._xids = message_ids(OUTCOMES)

    def start(self) -> Any:
        """Begin to work; called by the framework when all apps are there."""
        self._mailbox.start()
        self._nib.watch(self._heard_rows)
        return super().start()

    def close(self) -> None:
        """End."""
        self._mailbox.close()

    def _heard_rows(self, batch: Batch) -> None:
        for change in batch.changes:
            if isinstance(change.new, Service) and change.new.ejection is not None:
                self._mailbox.post(partial(self._begin, change.new.name))

    @on(ofp_event.EventOFPStateChange, [MAIN, DEAD])
    def _heard_state(self, event: Any) -> None:
        self._mailbox.post(lambda: self._state(event.datapath, event.state))

    @on(ofp_event.EventOFPFlowStatsReply, MAIN)
    def _heard_flows(self, event: Any) -> None:
        if event.msg.xid >= OUTCOMES:
            self._mailbox.post(lambda: self._reply(event.msg))

    def _state(self, datapath: Any, state: str) -> None:
        dpid = framework.dpid_of(datapath)
        if state == MAIN:
            self._left(dpid)
            self._datapaths[dpid] = datapath
        elif self._datapaths.get(dpid) is datapath:
            self._left(dpid)

    def _left(self, dpid: str) -> None:
        """A switch is gone, or has a newer connection: it answers no question from before."""
        self._datapaths.pop(dpid, None)
        for known in self._services.values():
            known.tallies.left(dpid)
        for service in self._rounds.left(dpid):
            self._judge(service)

    def _begin(self, name: str) -> None:
        """A service has ejection, since now or before."""
        if name not in self._services:
            self._services[name] = _Watched()
            self._window(name)

    def _window(self, name: str) -> None:
        """A window is over: read the counters, unless the last reading is still under way.

        A switch that does not answer keeps nobody from being judged by the others.
        """
        with self._nib.view() as view:
            service = view.get(Service, name)
            questions = list(_questions(name, view))
        if service is None or service.ejection is None:
            self._rounds.end(name)
            del self._services[name]
            return
        self._mailbox.after(service.ejection.window_ms / 1000, partial(self._window, name))
        if not self._leadership.leading:
            self._rounds.end(name)
            self._services[name] = _Watched()
            return
        late = self._rounds.late(name, time.monotonic())
        for dpid in late:
            self._services[name].tallies.left(dpid)
        if late:
            self._judge(name)
        if not self._rounds.is_open(name):
            self._ask(name, questions)

    def _ask(self, name: str, questions: list[tuple[int, int]]) -> None:
        owed: dict[int, str] = {}
        for dpid, datapath in self._datapaths.items():
            asked = {next(self._xids): question for question in questions}
            messages = (
                wire.flows_request(xid, cookie=cookie, mask=mask)
                for xid, (cookie, mask) in asked.items()
            )
            framework.send(datapath, b"".join(messages))
            owed |= dict.fromkeys(asked, dpid)
        self._rounds.begin(name, owed, time.monotonic())

    def _reply(self, message: Any) -> None:
        asker = self._rounds.asker(message.xid)
        if asker is None:
            return
        self._services[asker].tallies.read(framework.dpid_of(message.datapath), message.body)
        if not message.flags & reports.MORE and self._rounds.answered(message.xid):
            self._judge(asker)

    def _judge(self, name: str) -> None:
        """All switches have answered that will."""
        known, now = self._services[name], now_ms()
        with self._nib.view() as view:
            service = view.get(Service, name)
            containers = view.containers_of(name)
            held = {each.id: view.get(Ejected, each.key) for each in containers}
        if service is None or service.ejection is None:
            return
        counts = known.tallies.counts({each.number for each in containers})
        found = judge(
            service.ejection,
            known.watched,
            {each.id: counts[each.number] for each in containers if each.number in counts},
            {container: row for container, row in held.items() if row is not None},
            service=name,
            members=sum(map(is_ready, containers)),
            now_ms=now,
        )
        known.watched = dict(found.watched)
        self._write(name, found, now)

    def _write(self, name: str, found: Judgement, now: int) -> None:
        for row in found.ejected:
            self._status.note(("ejected", *row.key), rows.eject(row))
            if row.until_ms > now:
                self._ejections.labels(name).inc()
        for container in found.forgiven:
            key = (name, container)
            self._status.note(("ejected", *key), rows.save(Ejected, key, None))


def _questions(name: str, view: Lookups) -> Iterator[tuple[int, int]]:
    """Cookies and masks of the flows to read: container by container, or all at once where the
    service has most of them."""
    numbers = [container.number for container in view.containers_of(name)]
    if 2 * len(numbers) > view.count(Container):
        yield Cookie(Kind.CONTAINER, 0).value, _EVERY
    else:
        yield from ((Cookie(Kind.CONTAINER, number).value, _ONE) for number in numbers)
