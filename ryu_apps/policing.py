"""What switches let through of each policy: shares of its limits, decided anew when that is due.

A change of intent about bandwidth is decided at once, and so is where a policy's services have
their containers; what follows from anything else (links, other policies' guarantees, what is
offered where) is decided together, once a second at most. Shares are the controller's decision:
computed here, applied to the view, and saved by whoever owns the database connection. Pure: the
time is an argument, in milliseconds since 1970.

Must not know: meters, how counters are read.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from typing import Final

from nib.intent import Container, Service
from nib.mirror import Mirror, RowChange
from nib.plans import PolicyRate
from nib.qos import LinkRate, Policy, PolicyShare, QosClass
from nib.topology import Host, Link, Port, Switch
from qos.provision import PolicyState
from qos.shares import shares_of
from ryu_apps.decisions import Decisions
from ryu_apps.provision import provision, reach

_PACE_MS: Final = 1000


class Policing:
    """Keeps the PolicyShare rows of a view."""

    def __init__(self, view: Mirror) -> None:
        self._view = view
        self._offered: Mapping[str, Mapping[str, float]] = {}
        self._urgent: set[str] = set()  # policies
        self._is_urgent = False  # all of them
        self._due_ms: int | None = None
        self._states: Mapping[str, PolicyState] = {}  # as of when all was decided
        self.shares: Decisions[tuple[str, str], PolicyShare] = Decisions(view)

    def mark(self, change: RowChange, now_ms: int) -> None:
        """A row has changed: what is to be decided, and how soon."""
        if not self._view.count(Policy) and not isinstance(change.record, Policy):
            return  # nothing to police
        match change.record:
            case Policy() | PolicyRate() | QosClass() | LinkRate():
                self._is_urgent = True
            case Container(service=name) | Service(name=name):
                self._urgent.update(policy.name for policy in self._view.policies_of(name))
                self._await(now_ms + _PACE_MS)
            case Switch() if not is_lost_or_found(change):
                pass  # it applied something: that is all the time
            case Port() | Link() | Switch() | Host():
                self._await(now_ms + _PACE_MS)
            case PolicyShare(policy=name):
                self._urgent.add(name)

    def offered(self, offered: Mapping[str, Mapping[str, float]], now_ms: int) -> None:
        """What is offered of policies, in bits a second, by policy name and datapath id."""
        self._offered = offered
        self._await(now_ms)

    def rated(self) -> None:
        """The rates in force of policies were decided anew."""
        self._is_urgent = True

    def due_ms(self) -> int | None:
        """When there is something to decide next; None: not before a row changes."""
        return self._due_ms

    def settle(self, now_ms: int) -> set[str]:
        """Decide what must not wait, and all that is due; the policies whose shares changed."""
        is_due = self._due_ms is not None and self._due_ms <= now_ms
        urgent, self._urgent = self._urgent, set()
        if self._is_urgent or is_due:
            self._is_urgent, self._due_ms = False, None
            return self._decide_all()
        return self._decide(self._as_placed(urgent))

    def _await(self, due_ms: int) -> None:
        self._due_ms = due_ms if self._due_ms is None else min(due_ms, self._due_ms)

    def _decide_all(self) -> set[str]:
        self._states = provision(self._view).policies
        gone = [each for each in self._view.all(PolicyShare) if each.policy not in self._states]
        for share in gone:
            self.shares.put(share, None)
        return self._decide(self._states.values()).union(share.policy for share in gone)

    def _as_placed(self, names: Iterable[str]) -> Iterator[PolicyState]:
        """Policies as they stood, but where their services are now."""
        for name in names:
            if name in self._states:
                state = self._states[name]
                yield replace(state, reach=reach(state.policy, self._view))

    def _decide(self, states: Iterable[PolicyState]) -> set[str]:
        changed = set()
        for state in states:
            name = state.policy.name
            held = {share.switch: share for share in self._view.shares_of(name)}
            wanted = shares_of(state, self._offered.get(name, {}), held)
            for switch in held.keys() | wanted.keys():
                if held.get(switch) != wanted.get(switch):
                    self.shares.put(held.get(switch), wanted.get(switch))
                    changed.add(name)
        return changed


def is_lost_or_found(change: RowChange) -> bool:
    """Whether a switch came, went, or is under control or out of it now."""
    before, after = change.old, change.new
    if isinstance(before, Switch) and isinstance(after, Switch):
        return before.connected != after.connected
    return True
