"""Which of the rows that were decided are worth writing, and the change that writes them.

A plan is made anew each tick. It is written when it says something else, or when half of its time
is over; so an unchanged plan costs a row a minute.

Must not know: how plans are made.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Final, TypeVar

from nib.draft import Draft
from nib.intent import Service
from nib.mirror import Lookups
from nib.plans import ContainerPlan, Dependency, PrewarmRequest, RatePlan
from nib.qos import Policy

_BY_PEOPLE: Final = frozenset({"schedule", "override"})
VALID_MS: Final = 120_000  # what a plan holds for, unless a new one comes

P = TypeVar("P", ContainerPlan, RatePlan)


@dataclass(frozen=True, slots=True)
class Decided:
    """Rows to put, and keys of rows to delete."""

    plans: tuple[ContainerPlan, ...] = ()
    rates: tuple[RatePlan, ...] = ()
    requests: tuple[PrewarmRequest, ...] = ()
    dependencies: tuple[Dependency, ...] = ()
    ended: tuple[str, ...] = field(default=())  # ids of requests
    undone: tuple[tuple[str, str], ...] = field(default=())  # keys of dependencies
    idle: tuple[str, ...] = field(default=())  # services without a plan any more
    unplanned: tuple[str, ...] = field(default=())  # policies likewise

    def __bool__(self) -> bool:
        return any(getattr(self, each) for each in self.__slots__)


@dataclass(frozen=True, slots=True)
class Wish:
    """That a service have so many containers, of the one that its target names; None = as many as
    it has, for nothing is known."""

    service: str
    target: str
    containers: int | None


def changed(wanted: Iterable[P], held: Callable[[str], P | None], now_ms: int) -> tuple[P, ...]:
    """Those of the plans that are worth writing; held: what is written of each."""
    return tuple(plan for plan in wanted if _is_news(plan, held(str(plan.key)), now_ms))


def _is_news(plan: P, held: P | None, now_ms: int) -> bool:
    if held is None or held.until_ms - now_ms < (plan.until_ms - plan.from_ms) // 2:
        return True
    return _said(plan) != _said(held)


def _said(plan: ContainerPlan | RatePlan) -> tuple[object, ...]:
    """A plan without what differs each time that it is made: its times, and what decided it unless
    that is an operator."""
    if isinstance(plan, ContainerPlan):
        return (plan.containers, plan.source in _BY_PEOPLE, plan.stale)
    return (plan.max_bps, plan.guaranteed_bps, plan.source in _BY_PEOPLE, plan.refused, plan.stale)


def dependency_changes(
    wanted: Iterable[Dependency], view: Lookups, is_mine: Callable[[str], bool]
) -> tuple[tuple[Dependency, ...], tuple[tuple[str, str], ...]]:
    """(rows to put, keys to delete) of the children that this predictor minds.

    A dependency whose figures moved by a tenth or less stays as it is.
    """
    new: Mapping[tuple[str, str], Dependency] = {
        each.key: each for each in wanted if is_mine(each.child)
    }
    held = {each.key: each for each in view.all(Dependency) if is_mine(each.child)}
    put = tuple(each for key, each in new.items() if not _is_alike(each, held.get(key)))
    return put, tuple(held.keys() - new.keys())


def _is_alike(one: Dependency, other: Dependency | None) -> bool:
    if other is None or (one.source, one.lag_ms) != (other.source, other.lag_ms):
        return False
    pairs = (
        (one.gain_permille, other.gain_permille),
        (one.slope_permille, other.slope_permille),
    )
    return all(abs(a - b) <= max(a, b) // 10 for a, b in pairs)


def write(decided: Decided) -> Callable[[Draft], None]:
    """The change; what a row is about may be gone by then, and the row is then left out."""

    def change(draft: Draft) -> None:
        for plan in decided.plans:
            if draft.get(Service, plan.service) is not None:
                draft.put(plan)
        for rate in decided.rates:
            if draft.get(Policy, rate.policy) is not None:
                draft.put(rate)
        for request in decided.requests:
            draft.put(_with_acceptance(request, draft))
        for dependency in decided.dependencies:
            draft.put(dependency)
        for id_ in decided.ended:
            if draft.get(PrewarmRequest, id_) is not None:
                draft.delete(PrewarmRequest, id_)
        for kind, keys in (
            (Dependency, decided.undone),
            (ContainerPlan, decided.idle),
            (RatePlan, decided.unplanned),
        ):
            for key in keys:
                if draft.get(kind, key) is not None:
                    draft.delete(kind, key)

    return change


def _with_acceptance(request: PrewarmRequest, draft: Draft) -> PrewarmRequest:
    """Somebody may have accepted it meanwhile: that is kept."""
    held = draft.get(PrewarmRequest, request.id)
    if held is None or held.accepted_ms is None or request.accepted_ms is not None:
        return request
    return replace(request, accepted_ms=held.accepted_ms, accepted_by=held.accepted_by)
