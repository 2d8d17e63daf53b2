"""Changes that the controller makes to the database, as functions on a draft.

Must not know: connections, threads; each is run inside a transaction, perhaps more than once.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import TypeVar

from gateway_lb.lifecycle import drained, expired
from nib.changelog import Actor, record_changes
from nib.draft import Draft
from nib.events import Event, record_event
from nib.intent import Container
from nib.observed import Ejected
from nib.plans import PolicyRate
from nib.qos import Policy, PolicyShare
from nib.records import Audit, Key, Record
from nib.topology import MAX_CT_ZONE, Switch

R = TypeVar("R", bound=Record)


def admit(dpid: str, name: str, problem: str, *, taken_over: bool) -> Callable[[Draft], Switch]:
    """The row of a switch that connected; a new one gets the smallest free conntrack zone.

    Zones differ because the bridges of one vswitchd share one connection table, and stay because
    established connections live in them. `connected` means that packets may be led through it: not
    before it is programmed, unless it is taken over from another leader, who said so.
    """

    def change(draft: Draft) -> Switch:
        known = draft.get(Switch, dpid)
        zone = known.ct_zone if known else _free_zone(draft)
        usable = taken_over and known is not None and known.connected
        return draft.put(Switch(dpid, zone, name, connected=usable, applied=0, problem=problem))

    return change


def gone(dpid: str) -> Callable[[Draft], object]:
    """A switch did not connect to the new leader."""

    def change(draft: Draft) -> object:
        known = draft.get(Switch, dpid)
        return known and draft.put(replace(known, connected=False))

    return change


def switch_status(
    dpid: str, *, connected: bool, applied: int, problem: str
) -> Callable[[Draft], object]:
    """Bring a switch's row up to date, if it is still there."""

    def change(draft: Draft) -> object:
        known = draft.get(Switch, dpid)
        return known and draft.put(
            replace(known, connected=connected, applied=applied, problem=problem)
        )

    return change


def save(kind: type[R], key: Key, record: R | None) -> Callable[[Draft], object]:
    """Store the record of this key; None: there is none."""

    def change(draft: Draft) -> object:
        if record is not None:
            return draft.put(record)
        return draft.get(kind, key) and draft.delete(kind, key)

    return change


def meet_deadline(
    key: tuple[str, str], now_ms: int, heard_since: Callable[[], int], actor: Actor
) -> Callable[[Draft], object]:
    """Delete a container whose draining is over, drain one whose lease is; unless it was registered
    or renewed meanwhile. The events say that `actor` did it.

    heard_since: since when renewals can be heard (`gateway_lb.lifecycle.is_expired`).
    """

    def change(draft: Draft) -> object:
        container = draft.get(Container, key)
        known = () if container is None else (container,)
        mark = draft.mark
        if drained(known, now_ms):
            draft.delete(Container, key)
        for late in expired(known, now_ms, heard_since()):
            draft.put(late)
        record_changes(draft, draft.changes_since(mark), actor, now_ms)
        return None

    return change


def eject(row: Ejected) -> Callable[[Draft], object]:
    """Store that a container is left out, if it is still there."""

    def change(draft: Draft) -> object:
        return draft.get(Container, row.key) and draft.put(row)

    return change


def tell(events: Sequence[Event]) -> Callable[[Draft], object]:
    """Store what happened."""

    def change(draft: Draft) -> object:
        for event in events:
            record_event(draft, event)
        return None

    return change


def save_share(key: tuple[str, str], share: PolicyShare | None) -> Callable[[Draft], object]:
    """Store what a switch lets through of a policy, if that is still there; None: nothing."""

    def change(draft: Draft) -> object:
        if share is not None and draft.get(Policy, share.policy) is None:
            return None
        return save(PolicyShare, key, share)(draft)

    return change


def save_rate(policy: str, rate: PolicyRate | None) -> Callable[[Draft], object]:
    """Store the rates in force of a policy, if it is still there; None: its own."""

    def change(draft: Draft) -> object:
        if rate is not None and draft.get(Policy, policy) is None:
            return None
        return save(PolicyRate, policy, rate)(draft)

    return change


def audited(result: Audit) -> Callable[[Draft], object]:
    """Store what a read-back found; a request made meanwhile stays open."""

    def change(draft: Draft) -> object:
        known = draft.get(Audit, result.switch)
        return known and draft.put(replace(result, requested=known.requested))

    return change


def repaired(result: Audit) -> Callable[[Draft], object]:
    """Store what a read-back found that nobody asked for; requests stay as they are."""

    def change(draft: Draft) -> object:
        if draft.get(Switch, result.switch) is None:
            return None  # somebody had it forgotten
        known = draft.get(Audit, result.switch) or Audit(result.switch)
        return draft.put(replace(result, requested=known.requested, finished=known.finished))

    return change


def _free_zone(draft: Draft) -> int:
    taken = {switch.ct_zone for switch in draft.all(Switch)}
    return next(zone for zone in range(1, MAX_CT_ZONE + 1) if zone not in taken)
