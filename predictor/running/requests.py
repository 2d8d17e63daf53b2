"""The prewarm requests of the services that a predictor minds, from the first need to the end.

Must not know: how a plan came about, who hears of requests, how rows are written. Pure: time and
ids are arguments.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Final

from nib.mirror import Lookups
from nib.plans import ContainerPlan, PrewarmRequest
from nib.prewarm import Scaling
from predictor.outward.life import is_open, step, wanted, withdraw
from predictor.outward.present import Standing
from predictor.running.lead import LeadTimes
from predictor.running.presence import NOBODY, presence_of

KEPT_MS: Final = 600_000  # a request that has ended can be looked at for so long
_PATIENCE: Final = 4.0  # lead times until a request expires
_LEAST_PATIENCE_S: Final = 60.0


@dataclass(frozen=True, slots=True)
class RequestChanges:
    """Rows to put, in their new state, and the ids of those to delete."""

    put: tuple[PrewarmRequest, ...]
    delete: tuple[str, ...]


def request_changes(
    view: Lookups,
    plans: Mapping[str, ContainerPlan],
    services: Iterable[str],
    leads: LeadTimes,
    *,
    now_ms: int,
    make_id: Callable[[], str],
) -> RequestChanges:
    """Of these services: requests that have come further, and new ones for what is missing."""
    presence = presence_of(view)
    put: list[PrewarmRequest] = []
    delete: list[str] = []
    for service in services:
        present = presence.get(service, NOBODY)
        open_ = []
        for request in view.requests_of(service):
            further = _further(request, plans.get(service), present, now_ms)
            if further is not request:
                put.append(further)
            if is_open(further):
                open_.append(further)
            elif further.ended_ms is not None and now_ms - further.ended_ms > KEPT_MS:
                delete.append(request.id)
        scaling, plan = view.get(Scaling, service), plans.get(service)
        if plan is None or plan.containers <= present.present:
            continue
        if scaling is not None and scaling.mode == "observe":
            continue
        new = _new(
            plan,
            present,
            open_,
            leads.lead_s(service, scaling),
            now_ms=now_ms,
            make_id=make_id,
        )
        if new is not None:
            put.append(new)
    return RequestChanges(tuple(put), tuple(delete))


def _further(
    request: PrewarmRequest, plan: ContainerPlan | None, present: Standing, now_ms: int
) -> PrewarmRequest:
    further = step(request, present.ready, now_ms)
    if is_open(further) and (plan is None or plan.containers <= present.ready):
        return withdraw(further, now_ms, "fewer containers are needed now")
    return further


def _new(
    plan: ContainerPlan,
    present: Standing,
    open_: Iterable[PrewarmRequest],
    lead_s: float,
    *,
    now_ms: int,
    make_id: Callable[[], str],
) -> PrewarmRequest | None:
    patience_s = max(_LEAST_PATIENCE_S, _PATIENCE * lead_s)
    needed_ms = (
        now_ms if plan.source == "load" else max(now_ms, plan.from_ms) + round(lead_s * 1000)
    )
    return wanted(
        plan,
        present.present,
        open_,
        request_id=make_id(),
        now_ms=now_ms,
        needed_ms=needed_ms,
        deadline_ms=needed_ms + round(patience_s * 1000),
    )
