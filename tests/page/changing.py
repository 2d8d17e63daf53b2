"""What changes from second to second in the made-up fabric: reports, plans, requests, events.

Must not know: processes, the browser.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import replace
from itertools import pairwise
from typing import Any, Final

from nib.draft import Draft
from nib.events import Event, event_id, record_event
from nib.intent import Container
from nib.observed import Report
from nib.plans import ContainerPlan, Dependency, PolicyRate, PrewarmRequest, RatePlan
from nib.qos import Policy
from nib.records import Global, Leader
from nib.topology import Switch
from tests.page import demand

_PLAN_MS: Final = 120_000


def plans(count: int, policies: list[Policy], at_s: float) -> Iterator[Any]:
    """What a predictor decided of services and policies."""
    now = int(at_s * 1000)
    for index, name in enumerate(demand.names(count)):
        ahead = max(float(demand.inflight(name, at_s + step)) for step in (0, 5, 10, 20, 30))
        source = ("load", "forecast", "forecast", "dependency")[index % 4]
        reason = f"p99 of the next 4 s: {ahead:.0f} requests, {demand.CONCURRENCY} a container"
        planned = demand.containers_for(ahead * 1.1)
        stale = index == 60
        yield ContainerPlan(name, planned, now, now + _PLAN_MS, source, reason, stale, now)
    for policy in policies[::4]:
        most = int(demand.policy_bps(policy.destination or policy.name, at_s) * 1.3)
        yield RatePlan(
            *(policy.name, now, now + _PLAN_MS, "forecast"),
            max_bps=max(most, 2_000_000),
            reason="p99 of the next minute, and 10 % more",
            made_ms=now,
        )
        yield PolicyRate(policy.name, "plan", now + _PLAN_MS, max_bps=max(most, 2_000_000))


def requests(count: int, at_s: float) -> Iterator[PrewarmRequest]:
    """Prewarm requests of the last minutes: most are ready, one is open."""
    now = int(at_s * 1000)
    for number, name in enumerate(demand.names(count)[: 24 if count > 24 else count]):
        made = now - number * 41_000 - 1_500
        ready = number not in (0, 5)
        yield PrewarmRequest(
            f"{made:x}-{number}",
            name,
            containers=4 + number % 5,
            missing=1 + number % 3,
            requested_ms=made,
            needed_ms=made + 4_000,
            deadline_ms=made + 30_000,
            state="ready" if ready else ("expired" if number else "accepted"),
            accepted_ms=made + 40,
            accepted_by="kubernetes",
            ended_ms=made + 2_900 if ready else (made + 30_000 if number else None),
            reason="forecast: a surge within the lead time",
        )


def dependencies(count: int) -> Iterator[Dependency]:
    """What was learned: chains from the front to the databases of some areas."""
    names = set(demand.names(count))
    areas = ("web", "shop", "cart", "orders", "search", "billing")
    for place, area in enumerate(areas):
        chain = [f"{area}-{role}" for role in ("front", "api", "cache", "db")]
        for number, (parent, child) in enumerate(pairwise(chain)):
            if parent in names and child in names:
                yield Dependency(
                    parent, child, 300 * (number + 1), "learned", 180 + 70 * place, 900
                )
    if {"web-front", "search-api", "shop-api"} <= names:
        yield Dependency("web-front", "search-api", 900, "learned", 310, 400)
        yield Dependency("web-front", "shop-api", 700, "learned", 420, 750)


_SAID: Final = (
    ("plan", "raised", "info", "predictor node1:4022", "p99 of the next 4 s needs one more"),
    ("prewarm", "ready", "info", "kubernetes", "all were registered and healthy in 2.9 s"),
    ("service", "changed", "info", "alice", "policy: weighted -> least_inflight"),
    ("container", "created", "info", "registrar-eu", ""),
    ("health", "failed", "warning", "node agent leaf2", "GET /ready: answered 503"),
    ("policy", "changed", "info", "bob", "max_bps: 20M -> 40M"),
    ("rate", "applied", "info", "controller node1", "plan: 42M until 12:31"),
)


def event(number: int, count: int, at_ms: int) -> Event:
    """One of the many things that happen."""
    if number % 23 == 7:
        about = ("link", "leaf6/up2", "lost", "warning", "controller node1", "three probes lost")
    else:
        kind, action, severity, actor, reason = _SAID[number % len(_SAID)]
        name = demand.names(count)[number * 13 % count]
        about = (kind, name, action, severity, actor, reason)
    kind, name, action, severity, actor, reason = about
    return Event(event_id(at_ms), at_ms, kind, name, action, severity, actor, reason)


def past_events(count: int, at_s: float) -> Iterator[Event]:
    """What happened within the last two hours."""
    now = int(at_s * 1000)
    for number in range(150, 0, -1):
        yield event(number, count, now - number * 47_000)


def acknowledged(draft: Draft, generation: int) -> None:
    """Every switch has that change."""
    for switch in list(draft.all(Switch)):
        if switch.applied != generation:
            draft.put(replace(switch, applied=generation))


def second(draft: Draft, number: int, count: int, at_s: float) -> None:
    """What one second brings: a beat, some reports, some plans, an event now and then."""
    drawn = random.Random(number)
    leader = draft.get(Leader, ())
    if leader is not None:
        draft.put(replace(leader, beat=leader.beat + 1))
    acknowledged(draft, draft.need(Global, ()).generation)
    containers = list(draft.all(Container))
    for each in drawn.sample(containers, min(60, len(containers))):
        load = float(demand.inflight(each.service, at_s)) / 6
        inflight = min(max(0, round(load + drawn.uniform(-2, 2))), 15)
        draft.put(Report(each.service, each.id, inflight=inflight))
    made = list(plans(count, sorted(draft.all(Policy), key=lambda p: p.name), at_s))
    for each in drawn.sample(made, min(20, len(made))):
        draft.put(each)
    if number % 3 == 0:
        record_event(draft, event(number, count, int(at_s * 1000)))
