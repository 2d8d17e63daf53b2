"""How a service's containers stand: the share of new connections each gets, and why.

Everything known of a container (its row, what it reported, its check, its connections, whether it
is ejected) becomes one state (`verdicts`) and one weight (`shares`). The controller deals slots by
these weights; REST shows the same states.

Must not know: slots, flows, who writes the rows.
"""

from __future__ import annotations

from dataclasses import dataclass

from gateway_lb.shares import canary_percent, next_step_ms, warmth, weights
from gateway_lb.verdicts import (
    IDLE,
    READY,
    WARMING,
    Known,
    Verdict,
    at_cap,
    failing,
    is_panic,
    known_of,
    obstacle,
)
from nib.intent import Container, Service
from nib.mirror import Lookups


@dataclass(frozen=True, slots=True)
class Standing:
    """One container: `weight` is its share relative to its siblings', on any scale; 0 = nothing.

    state: one of `verdicts.STATES`; reason: why it gets nothing, or less than its due; "" where
    there is nothing to say. inflight: what it works at now, None where nobody knows.
    """

    container: Container
    weight: int
    state: str
    reason: str
    inflight: int | None


@dataclass(frozen=True, slots=True)
class Standings:
    """A service's containers by number; `next_ms`: when time alone changes it next, None = never.

    panic: too few were usable, so failed checks and ejections are not heeded.
    """

    items: tuple[Standing, ...]
    next_ms: int | None
    panic: bool

    @property
    def weights(self) -> dict[int, int]:
        """Weights by container number, as `slots.slot_table` takes them."""
        return {standing.container.number: standing.weight for standing in self.items}


def service_standings(name: str, view: Lookups, now_ms: int) -> Standings:
    """How the service's containers stand at a time, in milliseconds since 1970.

    Raises NotFound where there is no such service.
    """
    service = view.need(Service, name)
    listed = sorted(view.containers_of(name), key=lambda each: (each.number, each.id))
    known = [known_of(container, service, view, now_ms) for container in listed]
    panic = is_panic(service, known)
    verdicts = {one.key: obstacle(one, service, panic) for one in known}
    usable = [one for one in known if verdicts[one.key] is None]
    dealt = weights(usable, known, service, now_ms)
    items = []
    for one in known:
        weight = dealt.get(one.key, 0)
        state, reason = verdicts[one.key] or _working(one, service, now_ms, weight)
        items.append(Standing(one.container, weight, state, reason, one.inflight))
    return Standings(tuple(items), _next_ms(known, usable, service, now_ms), panic)


def container_standing(container: Container, view: Lookups, now_ms: int) -> Standing:
    """How one container stands at a time; its weight is on a scale of its own.

    Its siblings are looked at only where its state depends on them. It need not be in the view any
    more. Raises NotFound where its service is not.
    """
    service = view.need(Service, container.service)
    if service.panic_percent or service.canary is not None:
        for standing in service_standings(service.name, view, now_ms).items:
            if standing.container.key == container.key:
                return standing
    one = known_of(container, service, view, now_ms)
    verdict = obstacle(one, service, panic=False)
    weight = one.own_weight if verdict is None else 0
    state, reason = verdict or _working(one, service, now_ms, weight)
    return Standing(container, weight, state, reason, one.inflight)


def _working(one: Known, service: Service, now_ms: int, weight: int) -> Verdict:
    """The state of a usable container."""
    if weight == 0 and service.canary is not None:
        of_canary = canary_percent(service.canary, now_ms)
        mine = of_canary if one.container.version == service.canary.version else 100 - of_canary
        return IDLE, f"its version has {mine} % of the whole"
    capped = at_cap(one)
    if capped is not None:
        return capped
    ignored = failing(one, service)
    in_spite = f"too few are usable, so it is used although {ignored[1]}" if ignored else ""
    part = warmth(one.container, service, now_ms)
    if part < 1:
        return WARMING, in_spite or f"slow start: {int(part * 100)} % of its share"
    return READY, in_spite


def _next_ms(known: list[Known], usable: list[Known], service: Service, now_ms: int) -> int | None:
    times = [one.ejected.until_ms for one in known if one.ejected]
    step = next_step_ms(usable, service, now_ms)
    return min([*times, step] if step is not None else times, default=None)
