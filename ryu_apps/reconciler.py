"""The app that keeps switches as intent wants them, while this controller leads.

Owns the connections to all switches, in the role that leadership gives; a term of leadership
(`ryu_apps.term`) does the rest. All of it happens in one thread, the mailbox's; the framework's
handlers and leadership only post to it.

Must not know: what is programmed, the database.
"""

from __future__ import annotations

import logging
import time
from typing import Any, Final

from ryu_apps import framework
from ryu_apps.context import ControllerContext
from ryu_apps.doubles import Doubles
from ryu_apps.framework import DEAD, MAIN, ofp_event, on
from ryu_apps.link import Link
from ryu_apps.mailbox import Mailbox
from ryu_apps.roles import Roles
from ryu_apps.term import Term

LOG = logging.getLogger(__name__)

_CHECK_SECONDS: Final = 1.0


class Reconciler(framework.App):  # type: ignore[misc]
    """See the module."""

    OFP_VERSIONS = (framework.ofproto.OFP_VERSION,)
    _CONTEXTS = {"controller": ControllerContext}  # noqa: RUF012 - the framework's own form

    def __init__(self, *args: Any, controller: ControllerContext, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._controller = controller
        self._measures = controller.measures
        self._mailbox = Mailbox("reconciler")
        self._links: dict[str, Link] = {}
        self._term: Term | None = None
        self._roles = Roles(controller.leadership, self._mastered)
        self._doubles = Doubles(self._heard_double)
        framework.admit_by(self._doubles.admit)
        controller.leadership.subscribe(lambda _: self._mailbox.post(self._turn))

    def start(self) -> Any:
        """Begin to work; called by the framework when all apps are there."""
        self._mailbox.start()
        self._mailbox.post(self._check_links)
        self._controller.leadership.start()
        return super().start()

    def close(self) -> None:
        """End; switches keep forwarding by what they hold."""
        self._mailbox.close()

    # ------------------------------------------------------------------ what the framework says

    @on(ofp_event.EventOFPStateChange, MAIN)
    def _heard_up(self, event: Any) -> None:
        self._mailbox.post(lambda: self._up(event.datapath))

    @on(ofp_event.EventOFPStateChange, DEAD)
    def _heard_down(self, event: Any) -> None:
        self._mailbox.post(lambda: self._down(event.datapath))

    @on(ofp_event.EventOFPEchoReply, MAIN)
    def _heard_echo(self, event: Any) -> None:
        self._doubles.answered(event.msg.datapath)

    @on(ofp_event.EventOFPRoleReply, MAIN)
    def _heard_role(self, event: Any) -> None:
        self._mailbox.post(lambda: self._role(event.msg))

    @on(ofp_event.EventOFPGroupFeaturesStatsReply, MAIN)
    def _heard_features(self, event: Any) -> None:
        self._mailbox.post(lambda: self._features(event.msg))

    @on(ofp_event.EventOFPFlowStatsReply, MAIN)
    def _heard_flows(self, event: Any) -> None:
        self._mailbox.post(lambda: self._reply(event.msg, "flows"))

    @on(ofp_event.EventOFPGroupDescStatsReply, MAIN)
    def _heard_groups(self, event: Any) -> None:
        self._mailbox.post(lambda: self._reply(event.msg, "groups"))

    @on(ofp_event.EventOFPMeterConfigStatsReply, MAIN)
    def _heard_meters(self, event: Any) -> None:
        self._mailbox.post(lambda: self._reply(event.msg, "meters"))

    @on(ofp_event.EventOFPGroupStatsReply, MAIN)
    def _heard_counters(self, event: Any) -> None:
        self._mailbox.post(lambda: self._counters(event.msg))

    @on(ofp_event.EventOFPBarrierReply, MAIN)
    def _heard_barrier(self, event: Any) -> None:
        self._mailbox.post(lambda: self._barrier(event.msg))

    @on(ofp_event.EventOFPErrorMsg, framework.EVERY_PHASE)
    def _heard_error(self, event: Any) -> None:
        self._mailbox.post(lambda: self._error(event.msg))

    def _heard_double(self, dpid: str, problem: str) -> None:
        self._mailbox.post(lambda: self._double(dpid, problem))

    # ------------------------------------------------------------------ switches come and go

    def _up(self, datapath: Any) -> None:
        link = Link(datapath)
        LOG.info("switch %s connected", link.dpid)
        self._links[link.dpid] = link
        self._measures.connected.labels(link.dpid).set(1)
        self._measures.errors.labels(link.dpid)  # from 0 on, so that the first one is a rise
        self._roles.ask(link)

    def _down(self, datapath: Any) -> None:
        link = self._of(datapath)
        if link is None:
            return  # it has a newer connection, or was noticed before
        LOG.warning("switch %s disconnected", link.dpid)
        del self._links[link.dpid]
        self._measures.connected.labels(link.dpid).set(0)
        if self._term is not None:
            self._term.disconnect(link)

    def _double(self, dpid: str, problem: str) -> None:
        if self._term is not None:
            self._term.doubled(dpid, problem)

    def _check_links(self) -> None:
        """os-ken does not tell of every lost connection, nor of silent ones; look ourselves."""
        for link in list(self._links.values()):
            if not link.is_open or not self._roles.check(link, time.monotonic()):
                framework.end(link.datapath)
                self._down(link.datapath)
        self._mailbox.after(_CHECK_SECONDS, self._check_links)

    # ------------------------------------------------------------------ leadership

    def _turn(self) -> None:
        """Leadership began or ended."""
        epoch = self._controller.leadership.epoch
        if self._term is not None and self._term.epoch == epoch:
            return
        self._measures.epoch.set(epoch)
        self._begin_term(epoch)

    def _begin_term(self, epoch: int) -> None:
        """0: it leads no more. Connections stay in any case."""
        if self._term is not None:
            self._term.end()
        self._term = None
        if epoch:
            self._term = Term(self._controller, self._mailbox, epoch, self._replaced)
        for link in self._links.values():
            self._roles.ask(link)

    def _replaced(self) -> None:
        """Another database took the place of ours: forget what the old one said."""
        if self._term is not None:
            LOG.error("the database was replaced by another one; all switches are read back")
            self._begin_term(self._term.epoch)

    def _mastered(self, link: Link) -> None:
        if self._term is not None and self._term.epoch == self._controller.leadership.epoch:
            self._term.connect(link)

    # ------------------------------------------------------------------ what switches answer

    def _role(self, message: Any) -> None:
        link = self._of(message.datapath)
        if link is not None:
            self._roles.heard(link, message)

    def _features(self, message: Any) -> None:
        link = self._of(message.datapath)
        if link is not None and self._term is not None:
            self._term.features(link, message)

    def _reply(self, message: Any, kind: str) -> None:
        link = self._of(message.datapath)
        if link is not None and self._term is not None:
            self._term.reply(link, message, kind)

    def _counters(self, message: Any) -> None:
        link = self._of(message.datapath)
        if link is not None and self._term is not None:
            self._term.counters(link, message)

    def _barrier(self, message: Any) -> None:
        link = self._of(message.datapath)
        if link is not None and self._term is not None:
            self._term.barrier(link, message.xid)

    def _error(self, message: Any) -> None:
        link = self._of(message.datapath)
        if link is not None:
            link.refused(message)
            self._roles.refused(link, message)
            self._measures.errors.labels(link.dpid).inc()

    def _of(self, datapath: Any) -> Link | None:
        """The link whose datapath this is, if it is the switch's present one."""
        link = self._links.get(framework.dpid_of(datapath))
        return link if link is not None and link.datapath is datapath else None
