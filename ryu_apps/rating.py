"""Which rates of policies are in force: by plans and overrides, by time, by what links carry.

Which rates are asked for changes with rows and with time: a plan begins and ends by itself, whoever
made it may be gone. Overrides are admitted first, then plans, both beside what policies are
guaranteed of their own. A change of intent, a plan or an override is decided at once, what follows
from places and links once a second at most. Rates are the controller's decision, as shares are
(`ryu_apps.policing`): computed here, applied to the view, and saved by whoever owns the database
connection. Pure: the time is an argument, in milliseconds since 1970.

Must not know: forecasts, shares of limits, meters.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Final

from nib.intent import Container, Service
from nib.mirror import Lookups, Mirror, RowChange
from nib.plans import MAX_REASON, PolicyRate, RatePlan
from nib.prewarm import Override
from nib.qos import LinkRate, Policy, QosClass
from nib.topology import Host, Link, Port, Switch
from qos.in_force import (
    OVERRIDE,
    PLAN,
    in_force,
    next_change_ms,
    planned,
    policy_in_force,
    rate_of,
    why_planned,
    with_rates,
)
from qos.planned import Admitted, admitted
from qos.provision import Reach
from ryu_apps.alarms import Alarms
from ryu_apps.decisions import Decisions
from ryu_apps.policing import is_lost_or_found
from ryu_apps.provision import network, placed

_PACE_MS: Final = 1000
_GONE: Final = "there is no such policy"


class Rating:
    """Keeps the PolicyRate rows of a view."""

    def __init__(self, view: Mirror) -> None:
        self._view = view
        self._urgent: set[str] = set()  # policies whose rows changed
        self._is_urgent = False  # all of them
        self._due_ms: int | None = None
        self._alarms: Alarms[str] = Alarms()  # when time changes what is asked for
        self._asked: dict[str, PolicyRate] = {}  # by policy; what links carry of it is in force
        self.rates: Decisions[str, PolicyRate] = Decisions(view)

    def mark(self, change: RowChange, now_ms: int) -> None:
        """A row has changed: what is to be decided, and how soon."""
        match change.record:
            case Policy(name=name):
                self._urgent.add(name)
                self._is_urgent |= _promise(change.old) != _promise(change.new)
            case RatePlan(policy=name) | PolicyRate(policy=name):
                self._urgent.add(name)
            case Override(kind="policy", name=name):
                self._urgent.add(name)
            case QosClass() | LinkRate():
                self._is_urgent = True
            case Switch() if not is_lost_or_found(change):
                pass
            case Port() | Link() | Switch() | Host() | Container() | Service() if self._asked:
                due_ms = now_ms + _PACE_MS
                self._due_ms = due_ms if self._due_ms is None else min(due_ms, self._due_ms)

    def due_ms(self) -> int | None:
        """When there is something to decide next; None: not before a row changes."""
        due = (self._due_ms, self._alarms.earliest())
        return min((ms for ms in due if ms is not None), default=None)

    def settle(self, now_ms: int) -> set[str]:
        """Decide what must not wait, and all that is due; the policies whose rates changed."""
        names, self._urgent = self._urgent.union(self._alarms.take(now_ms)), set()
        is_due = self._due_ms is not None and self._due_ms <= now_ms
        is_all, self._is_urgent = self._is_urgent or is_due, False
        if is_due:
            self._due_ms = None
        before = {name: self._asked.get(name) for name in names}
        for name in names:
            self._ask(name, now_ms)
        if self._asked and (is_all or self._is_shared(before)):
            names |= self._asked.keys()
        return self._decide(names)

    def _ask(self, name: str, now_ms: int) -> None:
        """What is asked for a policy from now on, and until when."""
        policy, plan = self._view.get(Policy, name), self._view.get(RatePlan, name)
        override = self._view.get(Override, ("policy", name))
        asked = None if policy is None else in_force(policy, plan, override, now_ms)
        next_ms = None if policy is None else next_change_ms(plan, override, now_ms)
        self._alarms.set(name, next_ms)
        if asked is None:
            self._asked.pop(name, None)
        else:
            self._asked[name] = asked

    def _is_shared(self, before: Mapping[str, PolicyRate | None]) -> bool:
        """Whether these ask for guarantees, or no longer do: it is room that others may want."""
        rates = (*before.values(), *(self._asked.get(name) for name in before))
        return any(rate is not None and rate.guaranteed_bps is not None for rate in rates)

    def _decide(self, names: Iterable[str]) -> set[str]:
        changed = set()
        known = {name: self._asked[name] for name in names if name in self._asked}
        given = _admitted(known, self._view) if known else {}
        for name in names:
            held, wanted = self._view.get(PolicyRate, name), given.get(name)
            if held != wanted:
                self.rates.put(held, wanted)
                if held is None or wanted is None or _rates(held) != _rates(wanted):
                    changed.add(name)
        return changed


def admit(
    view: Lookups, wanted: Mapping[str, tuple[int | None, int | None]]
) -> dict[str, tuple[int | None, int | None, str]]:
    """What of the rates that plans would give policies can be in force, and why not all of it.

    wanted: (max_bps, guaranteed_bps) by policy, None = as the policy itself says. Returns the same
    with what links admit beside all other policies' rates in force, and a text that is empty where
    that is all. Nothing, and why, for a policy that is not there.
    """
    known = {name: view.get(Policy, name) for name in wanted}
    asked = {}
    for name, policy in known.items():
        if policy is not None:
            most, sure = planned(policy, *wanted[name])
            asked[name] = replace(policy, max_bps=most, guaranteed_bps=sure)
    base = {
        name: (policy if name in asked else policy_in_force(policy, view), reach)
        for name, (policy, reach) in placed(view).items()
    }
    found = admitted(asked, base, network(view))
    return {
        name: (None, None, _GONE) if policy is None else _answer(policy, wanted[name], found[name])
        for name, policy in known.items()
    }


def _admitted(asked: Mapping[str, PolicyRate], view: Lookups) -> dict[str, PolicyRate]:
    """The rates that can be in force of those that are asked for, by policy."""
    overrides = {name: rate for name, rate in asked.items() if rate.source == OVERRIDE}
    found = _carried(overrides, placed(view), view) if overrides else {}
    known = dict(placed(view))
    for name, rate in found.items():
        policy, reach = known[name]
        known[name] = with_rates(policy, rate), reach
    plans = {name: rate for name, rate in asked.items() if rate.source == PLAN}
    return found | _carried(plans, known, view)


def _carried(
    asked: Mapping[str, PolicyRate], known: Mapping[str, tuple[Policy, Reach]], view: Lookups
) -> dict[str, PolicyRate]:
    """What links carry of these rates, beside policies as they are known."""
    wanted = {name: with_rates(known[name][0], rate) for name, rate in asked.items()}
    found = {}
    for name, given in admitted(wanted, known, network(view)).items():
        asking, policy = asked[name], known[name][0]
        # A limit is cut where a forecast asks for it, not where an operator does.
        most = wanted[name].max_bps if asking.source == OVERRIDE else given.max_bps
        rate = rate_of(policy, asking.source, asking.until_ms, most, given.guaranteed_bps)
        if rate is not None:
            found[name] = rate
    return found


def _promise(record: object) -> tuple[object, ...] | None:
    """What a policy's row says of a guarantee."""
    if not isinstance(record, Policy) or record.guaranteed_bps is None:
        return None
    return record.guaranteed_bps, record.qos_class, record.ends


def _rates(rate: PolicyRate) -> tuple[int | None, int | None]:
    return rate.max_bps, rate.guaranteed_bps


def _answer(
    policy: Policy, wanted: tuple[int | None, int | None], given: Admitted
) -> tuple[int | None, int | None, str]:
    """None stays None: the policy's own."""
    most, sure = wanted
    reasons = why_planned(policy, *wanted), given.refused
    return (
        None if most is None else given.max_bps,
        None if sure is None else given.guaranteed_bps,
        "; ".join(filter(None, reasons))[:MAX_REASON],
    )
