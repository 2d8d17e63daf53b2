"""What is worth telling of what the network and the predictor do, as events for people.

What somebody asked for is told where it is asked (`nib.changelog`); this is about the rows that
controllers, node agents and predictors write. Pure: a changed row in, an event out.

Owns: which changes are worth telling, and their words.
Must not know: who writes events, or when.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any, Final

from nib.events import MAX_REASON, Event, event_id
from nib.mirror import RowChange
from nib.observed import Ejected, Health
from nib.plans import ContainerPlan, PolicyRate, PrewarmRequest
from nib.rates import show_rate
from nib.records import Record
from nib.topology import Link, Switch

MOST_AT_ONCE: Final = 100

_WARNING: Final = "warning"


@dataclass(frozen=True, slots=True)
class Told:
    """An event without its time and actor."""

    kind: str
    name: str
    action: str
    reason: str = ""
    severity: str = "info"

    def event(self, actor: str, at_ms: int) -> Event:
        """The event."""
        return Event(
            id=event_id(at_ms),
            at_ms=at_ms,
            kind=self.kind,
            name=self.name,
            action=self.action,
            severity=self.severity,
            actor=actor,
            reason=self.reason[:MAX_REASON],
        )


def told(change: RowChange) -> Told | None:
    """What is told of a row that changed; None: nothing."""
    tell = _TELLS.get(change.kind)
    return None if tell is None else tell(change.old, change.new)


def shortened(several: list[Told]) -> list[Told]:
    """No more than so many at once: warnings before others, and how many more there were."""
    if len(several) <= MOST_AT_ONCE:
        return several
    several = sorted(several, key=lambda each: each.severity != _WARNING)
    last = several[MOST_AT_ONCE - 1]
    more = len(several) - MOST_AT_ONCE
    return [*several[: MOST_AT_ONCE - 1], replace(last, reason=f"and {more} more such events")]


def _switch(old: Switch | None, new: Switch | None) -> Told | None:
    name = _name_of(old, new)
    if new is None:
        return Told("switch", name, "forgotten")
    if new.connected != bool(old and old.connected):
        action = "connected" if new.connected else "disconnected"
        severity = "info" if new.connected else _WARNING
        return Told("switch", name, action, f"datapath id {new.dpid}", severity)
    if new.problem == (old.problem if old else ""):
        return None
    if new.problem:
        return Told("switch", name, "failed", new.problem, _WARNING)
    return Told("switch", name, "recovered")


def _name_of(*rows: Switch | None) -> str:
    return next(row.name or row.dpid for row in rows if row)


def _link(old: Link | None, new: Link | None) -> Told | None:
    """One event for both directions."""
    link = new or old
    if link is None or (old and new) or link.key > (link.peer, link.peer_port):
        return None
    name, reason = "/".join(link.key), f"to {link.peer}/{link.peer_port}"
    if new:
        return Told("link", name, "found", reason)
    return Told("link", name, "lost", reason, _WARNING)


def _health(old: Health | None, new: Health | None) -> Told | None:
    if new is None or (old and old.up == new.up):
        return None
    name = f"{new.service}/{new.container}"
    if new.up:
        return Told("health", name, "passed")
    return Told("health", name, "failed", new.reason, _WARNING)


def _ejected(old: Ejected | None, new: Ejected | None) -> Told | None:
    del old
    if new is None:
        return None
    return Told("health", f"{new.service}/{new.container}", "ejected", new.reason, _WARNING)


def _plan(old: ContainerPlan | None, new: ContainerPlan | None) -> Told | None:
    if new is None:
        return None
    if old is None or old.containers != new.containers:
        before = "" if old is None else f"{old.containers} -> "
        reason = f"{before}{new.containers} containers, by {new.source}: {new.reason}"
        return Told("plan", new.service, "planned", reason)
    if old.stale == new.stale:
        return None
    if new.stale:
        reason = "metrics are missing; the last plan stays"
        return Told("plan", new.service, "stale", reason, _WARNING)
    return Told("plan", new.service, "fresh", "metrics are back")


def _rate(old: PolicyRate | None, new: PolicyRate | None) -> Told | None:
    before, after = _rates(old), _rates(new)
    row = new or old
    if row is None or before == after:
        return None
    by = f", by {new.source}" if new else ""
    return Told("rate", row.policy, "changed", f"{before} -> {after}{by}")


def _rates(rate: PolicyRate | None) -> str:
    known = {} if rate is None else {"at most": rate.max_bps, "guaranteed": rate.guaranteed_bps}
    parts = [f"{word} {show_rate(bps)}" for word, bps in known.items() if bps is not None]
    return ", ".join(parts) or "as the policy says"


def _request(old: PrewarmRequest | None, new: PrewarmRequest | None) -> Told | None:
    if new is None or (old and old.state == new.state):
        return None
    reason = f"{new.missing} more to have {new.containers}"
    if new.reason:
        reason = f"{reason}: {new.reason}"
    severity = _WARNING if new.state == "expired" else "info"
    return Told("prewarm", new.service, new.state, reason, severity)


_TELLS: Final[Mapping[type[Record], Callable[[Any, Any], Told | None]]] = {
    Switch: _switch,
    Link: _link,
    Health: _health,
    Ejected: _ejected,
    ContainerPlan: _plan,
    PolicyRate: _rate,
    PrewarmRequest: _request,
}
