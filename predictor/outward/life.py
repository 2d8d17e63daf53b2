"""The life of a prewarm request: requested, perhaps accepted, then ready or expired.

Owns: the table of states, when a request is due, and what counts as ready in time.
Pure: time and ids are arguments; times are milliseconds since 1970.
Must not know: who starts containers, how requests are stored or told.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Final

from nib.errors import NibError
from nib.fields import check_text
from nib.plans import MAX_REASON, ContainerPlan, PrewarmRequest

# state, event -> state; what is not here cannot happen.
TRANSITIONS: Final[Mapping[tuple[str, str], str]] = {
    ("requested", "accept"): "accepted",
    ("requested", "ready"): "ready",
    ("requested", "expire"): "expired",
    ("requested", "withdraw"): "expired",
    ("accepted", "ready"): "ready",
    ("accepted", "expire"): "expired",
    ("accepted", "withdraw"): "expired",
}
OPEN: Final = frozenset(state for state, _ in TRANSITIONS)

WITHDRAWN: Final = "withdrawn"
_LATE: Final = "not ready by its deadline"


class LifeError(NibError):
    """A request is in no state for this; taken_by: who accepted it, "" where it has ended."""

    def __init__(self, request: PrewarmRequest, message: str, remedy: str) -> None:
        super().__init__(f"prewarm request {request.id}: {message}; {remedy}")
        self.message = message
        self.remedy = remedy
        self.taken_by = request.accepted_by if is_open(request) else ""


def is_open(request: PrewarmRequest) -> bool:
    """Whether containers are still awaited."""
    return request.state in OPEN


def accept(request: PrewarmRequest, by: str, now_ms: int) -> PrewarmRequest:
    """The request as `by` takes it; itself where `by` has it already.

    LifeError where another has it, or it has ended. FieldError where `by` is no text of 1 to 255
    printable characters.
    """
    if request.accepted_by == by and request.accepted_ms is not None and is_open(request):
        return request
    if request.state == "accepted":
        raise LifeError(
            request, f"accepted by {request.accepted_by}", "leave it to them, or watch for the next"
        )
    if not is_open(request):
        raise LifeError(request, f"is {request.state}", "watch for the next")
    return replace(
        request,
        state=_after(request, "accept"),
        accepted_by=check_text("by", by),
        accepted_ms=now_ms,
    )


def step(request: PrewarmRequest, ready: int, now_ms: int) -> PrewarmRequest:
    """The request as it stands now; the same object where nothing changed.

    ready: how many containers of its service take requests. Ready goes before expired: who is
    late by a tick has still been waited for.
    """
    if not is_open(request):
        return request
    if ready >= request.containers:
        return replace(request, state=_after(request, "ready"), ended_ms=now_ms)
    if now_ms >= request.deadline_ms:
        return _ended(request, "expire", now_ms, f"{_LATE}: {ready} of {request.containers}")
    return request


def withdraw(request: PrewarmRequest, now_ms: int, why: str) -> PrewarmRequest:
    """The request as it ends because nobody needs it any more; itself where it has ended.

    It counts neither as in time nor as late.
    """
    if not is_open(request):
        return request
    return _ended(request, "withdraw", now_ms, f"{WITHDRAWN}: {why}")


def wanted(
    plan: ContainerPlan,
    present: int,
    requests: Iterable[PrewarmRequest],
    *,
    request_id: str,
    now_ms: int,
    needed_ms: int,
    deadline_ms: int,
) -> PrewarmRequest | None:
    """The request that a plan asks for; None where nothing is missing.

    present: containers of the service that are there or warming. requests: of the service, any
    state; what an open one asks for is not asked for again.
    """
    awaited = (r.containers for r in requests if r.service == plan.service and is_open(r))
    covered = max(present, *awaited, 0)
    if plan.containers <= covered:
        return None
    return PrewarmRequest(
        id=request_id,
        service=plan.service,
        containers=plan.containers,
        missing=plan.containers - covered,
        requested_ms=now_ms,
        needed_ms=needed_ms,
        deadline_ms=max(deadline_ms, needed_ms, now_ms),
        reason=plan.reason,
    )


def in_time(request: PrewarmRequest) -> bool | None:
    """Whether it was ready when it was needed; None while that is open, or once withdrawn."""
    if is_open(request) or request.reason.startswith(WITHDRAWN):
        return None
    ended = request.ended_ms
    return request.state == "ready" and ended is not None and ended <= request.needed_ms


def diagram() -> str:
    """The table as lines of text, for the documentation."""
    return "\n".join(f"{old} --{event}--> {new}" for (old, event), new in TRANSITIONS.items())


def _after(request: PrewarmRequest, event: str) -> str:
    return TRANSITIONS[request.state, event]


def _ended(request: PrewarmRequest, event: str, now_ms: int, reason: str) -> PrewarmRequest:
    return replace(
        request, state=_after(request, event), ended_ms=now_ms, reason=reason[:MAX_REASON]
    )
