"""Reads from switches what is offered of the policies whose limit is divided among several.

Once a second, the switches that have a share of such a policy; one that owes an answer is not asked
again for some rounds, so that a slow one is not asked ever more. What was heard in a round is
handed on together.

Must not know: what rates are for (`ryu_apps.policing`).
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from typing import Any, Final

from nib.mirror import Lookups
from nib.qos import Policy, PolicyShare
from openflow import cookies, tables
from openflow.cookies import OWNER_MASK, Cookie, Kind
from qos.offered import Offered
from ryu_apps.connected import Connected
from ryu_apps.mailbox import Mailbox
from ryu_apps.ticks import now_ms

_SECONDS: Final = 1.0
_PATIENCE: Final = 5  # rounds that a switch may owe an answer
_POLICIES: Final = Cookie(Kind.POLICY, 0).value
_POLICIES_MASK: Final = OWNER_MASK | 0xFF << 32

Rates = Mapping[str, Mapping[str, float]]  # bits a second, by policy name and datapath id


class PolicyPolls:
    """To be used in the mailbox's thread only.

    offered: called after a round in which a switch answered, with all rates known and the time in
    milliseconds since 1970.
    """

    def __init__(
        self,
        view: Lookups,
        switches: Mapping[str, Connected],
        mailbox: Mailbox,
        offered: Callable[[Rates, int], object],
    ) -> None:
        self._view = view
        self._switches = switches
        self._mailbox = mailbox
        self._offered = offered
        self._known = Offered()
        self._has_news = False
        self._owed: dict[str, int] = {}  # rounds, by switch

    def poll(self) -> None:
        """Hand on what was heard, ask, and go on asking."""
        divided = divided_policies(self._view)
        self._known.keep(lambda policy, switch: policy in divided.get(switch, ()))
        if self._has_news:
            self._has_news = False
            self._offered(self._known.rates(), now_ms())
        self._owed = {dpid: self._owed.get(dpid, 0) for dpid in divided}
        for dpid in divided:
            connected = self._switches.get(dpid)
            if connected is not None:
                self._ask(connected)
        self._mailbox.after(_SECONDS, self.poll)

    def heard(self, connected: Connected, message: Any) -> None:
        """Flows came, of us or another."""
        counts = connected.link.flow_counts(message)
        if counts is None:
            return
        at_s = time.monotonic()
        divided = divided_policies(self._view).get(connected.dpid, frozenset())
        for cookie, count in counts.items():
            parts = cookies.read(cookie)
            policy = None if parts is None else self._view.policy_numbered(parts.number)
            if policy is not None and policy.name in divided:
                self._known.read(policy.name, connected.dpid, count, at_s)
                self._has_news = True

    def _ask(self, connected: Connected) -> None:
        if connected.link.is_counting_flows and self._owed[connected.dpid] < _PATIENCE:
            self._owed[connected.dpid] += 1
        elif connected.session is not None:
            self._owed[connected.dpid] = 0
            connected.link.ask_flow_counts(tables.POLICE.number, _POLICIES, _POLICIES_MASK)


def divided_policies(view: Lookups) -> Mapping[str, frozenset[str]]:
    """The names of the policies whose limit is divided, by the datapath id of every switch that
    has a share."""
    return view.derived(_divided_policies, Policy, PolicyShare)


def _divided_policies(view: Lookups) -> Mapping[str, frozenset[str]]:
    found: dict[str, set[str]] = {}
    for policy in view.all(Policy):
        shares = view.shares_of(policy.name)
        if len(shares) > 1:
            for share in shares:
                found.setdefault(share.switch, set()).add(policy.name)
    return {dpid: frozenset(names) for dpid, names in found.items()}
