"""Which role each connection has: MASTER where this controller leads, else SLAVE.

The epoch is the role request's generation id. A switch refuses a request of an epoch before one it
knows, and from a slave every message that changes something; then we ask which epoch it knows, and
leadership decides what that means.

Must not know: what is programmed.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any, Final

from ryu_apps import framework
from ryu_apps.framework import ofproto
from ryu_apps.leadership import Leadership
from ryu_apps.link import Link

LOG = logging.getLogger(__name__)

_MASTER: Final[int] = ofproto.OFPCR_ROLE_MASTER
_SLAVE: Final[int] = ofproto.OFPCR_ROLE_SLAVE
_NO_CHANGE: Final[int] = ofproto.OFPCR_ROLE_NOCHANGE
_NO_EPOCH: Final = (1 << 64) - 1  # what a switch says that knows none

# Without an answer for so long, the connection is taken for dead.
SILENCE_SECONDS: Final = 10.0


class Roles:
    """To be used in the mailbox's thread only. mastered: told of each switch that took us as its
    master in the present epoch."""

    def __init__(self, leadership: Leadership, mastered: Callable[[Link], object]) -> None:
        self._leadership = leadership
        self._mastered = mastered

    def ask(self, link: Link) -> None:
        """Ask for the role that leadership gives us; none while nobody has ever led."""
        epoch = self._leadership.epoch
        if epoch:
            link.ask_role(_MASTER, epoch)
        elif self._leadership.seen:
            link.ask_role(_SLAVE, self._leadership.seen)

    def check(self, link: Link, now: float) -> bool:
        """Ask which role we have, in case another took it; False where the switch is silent.

        now: monotonic seconds; to be called every second or so. The answer may be long behind a
        read-back: what comes meanwhile is life, too.
        """
        asked = link.asked_role
        if asked is None:
            link.ask_role(_NO_CHANGE, 0)
            return True
        return now - max(asked.at, framework.last_heard(link.datapath)) < SILENCE_SECONDS

    def heard(self, link: Link, message: Any) -> None:
        """A role reply."""
        asked = link.asked_role
        if asked is None or asked.xid != message.xid:
            return
        link.asked_role = None
        if asked.role == _NO_CHANGE:
            self._compare(link, message)
        elif asked.role == _MASTER and asked.epoch == self._leadership.epoch:
            self._mastered(link)

    def _compare(self, link: Link, message: Any) -> None:
        """The role that we have, and the epoch that the switch knows."""
        epoch, known = self._leadership.epoch, message.generation_id
        if epoch and message.role == _MASTER:
            return
        if epoch and epoch < known < _NO_EPOCH:
            LOG.warning("switch %s knows epoch %d", link.dpid, known)
            self._leadership.outranked(known)
        elif epoch or message.role != _SLAVE:
            self.ask(link)

    def refused(self, link: Link, message: Any) -> None:
        """An error message: does it say that we are no master there, or shall not be?"""
        asked = link.asked_role
        if asked is not None and asked.xid == message.xid:
            link.asked_role = None
            if asked.role == _MASTER:
                LOG.warning("switch %s refuses epoch %d", link.dpid, asked.epoch)
                link.ask_role(_NO_CHANGE, 0)
        elif _is_slave(message) and self._leadership.leading and asked is None:
            LOG.warning("switch %s has another master", link.dpid)
            link.ask_role(_NO_CHANGE, 0)


def _is_slave(message: Any) -> bool:
    """Whether an error says that a slave may not do that."""
    refusal = (message.type, getattr(message, "code", None))
    return refusal == (ofproto.OFPET_BAD_REQUEST, ofproto.OFPBRC_IS_SLAVE)
