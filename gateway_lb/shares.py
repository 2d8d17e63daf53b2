"""How much of a service's new connections each usable container is due.

The weight of a container is the product of

- its own weight, and the percentage it reported;
- under `least_inflight`, its free capacity (`_room`);
- during slow start, a part that grows from 10 % to the whole;
- with a canary, its version's part of the whole: the canary's containers have exactly its
  percentage together, the others the rest. Where one side has nobody usable, the other has all.

Exact: integers and fractions, so every process computes the same.

Must not know: why a container is usable, slots, the clock.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from fractions import Fraction
from math import gcd, lcm
from typing import Final

from gateway_lb.verdicts import Known
from nib.intent import Container, Service
from nib.policy import Canary

SLOW_START_STEP_MS: Final = 1000  # at most
SLOW_START_STEPS: Final = 10  # at least; the share at the beginning is one of as many parts

_Key = tuple[str, str]  # service name, container id


def weights(
    usable: Sequence[Known], known: Sequence[Known], service: Service, now_ms: int
) -> dict[_Key, int]:
    """The weights of the usable ones of the known containers, as small whole numbers, by key.

    now_ms: milliseconds since 1970.
    """
    rooms = _rooms(usable, known) if service.policy == "least_inflight" else {}
    shares = {
        one.key: one.own_weight
        * _warm_numerator(one.container, service, now_ms)
        * rooms.get(one.key, 1)
        for one in usable
    }
    if service.canary is not None:
        version, percent = service.canary.version, canary_percent(service.canary, now_ms)
        canary = {one.key for one in usable if one.container.version == version}
        shares = _divided(shares, canary, percent)
    divisor = gcd(*shares.values()) or 1
    return {key: share // divisor for key, share in shares.items()}


def warmth(container: Container, service: Service, now_ms: int) -> Fraction:
    """The part of its share that a container has: grows in steps, from the floor to 1."""
    numerator = _warm_numerator(container, service, now_ms)
    return Fraction(numerator, max(1, service.slow_start_seconds * 1000 * SLOW_START_STEPS))


def _warm_numerator(container: Container, service: Service, now_ms: int) -> int:
    """`warmth` times the slow start in milliseconds times the steps; 1 without slow start."""
    whole = service.slow_start_seconds * 1000
    if not whole:
        return 1
    step = _slow_start_step_ms(service)
    passed = min(whole, max(0, now_ms - container.since_ms) // step * step)
    return whole + (SLOW_START_STEPS - 1) * passed


def canary_percent(canary: Canary, now_ms: int) -> int:
    """What the canary's version has of the whole at a time; its first step when it starts."""
    passed = now_ms - canary.started_ms
    if passed < 0:
        return 0
    if canary.step_percent == 0:
        return canary.percent
    return min(canary.percent, canary.step_percent * (1 + passed // canary.step_ms))


def next_step_ms(usable: Iterable[Known], service: Service, now_ms: int) -> int | None:
    """When a slow start or the canary makes its next step; None when all are at their end."""
    times = [] if service.canary is None else _canary_steps(service.canary, now_ms)
    step = _slow_start_step_ms(service)
    for one in usable:
        since = one.container.since_ms
        if step and now_ms - since < service.slow_start_seconds * 1000:
            times.append(since + (1 + max(0, now_ms - since) // step) * step)
    return min(times, default=None)


def _slow_start_step_ms(service: Service) -> int:
    """How long a share stays the same during slow start; 0 without slow start."""
    return min(SLOW_START_STEP_MS, service.slow_start_seconds * 1000 // SLOW_START_STEPS)


def _canary_steps(canary: Canary, now_ms: int) -> list[int]:
    """The time of its next step, if there is one."""
    passed = now_ms - canary.started_ms
    if passed < 0:
        return [canary.started_ms]
    if canary_percent(canary, now_ms) == canary.percent:
        return []
    return [canary.started_ms + (1 + passed // canary.step_ms) * canary.step_ms]


def _rooms(usable: Iterable[Known], known: Iterable[Known]) -> dict[_Key, int]:
    """Free capacity of each, on a scale of whole numbers.

    What is left of a known capacity; an unknown one is taken for the mean of the known ones (1
    where none is known) and divided by 1 + in flight. So without any load a container of unknown
    capacity equals an average one. More in flight is never more room; unknown in-flight counts as
    0.
    """
    capacities = [one.capacity for one in known if one.capacity]
    mean = Fraction(sum(capacities), len(capacities)) if capacities else Fraction(1)
    rooms = {one.key: _room(one, mean) for one in usable}
    scale = lcm(*(room.denominator for room in rooms.values()))
    return {key: room.numerator * (scale // room.denominator) for key, room in rooms.items()}


def _room(one: Known, mean: Fraction) -> Fraction:
    inflight = one.inflight or 0
    if one.capacity is None:
        return mean / (1 + inflight)
    return Fraction(max(0, one.capacity - inflight))


def _divided(shares: dict[_Key, int], canary: set[_Key], percent: int) -> dict[_Key, int]:
    """The canary side with its percentage of the whole, and the other side with the rest."""
    inside = sum(shares[key] for key in canary)
    outside = sum(shares.values()) - inside
    if not inside or not outside:
        return shares
    part, rest = percent * outside, (100 - percent) * inside
    return {key: share * (part if key in canary else rest) for key, share in shares.items()}
