"""Slot tables: which container answers which slot of a service's select group.

Open vSwitch maps a new connection to bucket `hash mod n` of a group with n equal buckets. A slot
table names the container of each bucket. It gives every container its exact share within one slot
and, on any change, moves the fewest slots that the new shares allow; a container that keeps its
share keeps its slots. The previous table is an argument, so any controller that reads the same
state computes the same table.

Small shares: a table grows until the smallest share is a whole slot, so weights of 1 and 256 are
both served. Where even the largest table cannot have that, slots left over by rounding go first to
containers that would have none; as shares stay exact, some may get nothing. So twenty containers
that have 1 % of a service together hold two or three of 256 slots, not twenty.

Must not know: flows, groups, what a container is (it sees numbers and weights).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Container, Iterable, Mapping
from typing import Final

# dp_hash select groups use at most 256 hash values; beyond, Open vSwitch silently falls back to a
# slow per-connection hash.
SLOT_COUNTS: Final = (64, 128, 256)
MAX_CONTAINERS: Final = SLOT_COUNTS[-1]
NO_CONTAINER: Final = 0

# Slots a container should have at least, for shares to be even within 1/4.
_SLOTS_A_CONTAINER: Final = 4


def slot_table(
    previous: tuple[int, ...], weights: Mapping[int, int], pinned: Container[int] = frozenset()
) -> tuple[int, ...]:
    """The next slot table.

    previous: the table in force, () at first; weights: container number -> weight >= 0, of any
    size; pinned: slots of `previous` that stay with their holder while it has a weight. A container
    whose pinned slots are more than its share keeps these, and the others share the rest; without
    the pins the table is exact again. Returns container numbers by slot, 64, 128 or 256 of them; ()
    where no container has a weight.
    """
    shares = {number: weight for number, weight in weights.items() if weight > 0}
    if not shares:
        return ()
    held = _grown(previous, shares.values())
    fixed = [
        bool(previous) and number in shares and slot % len(previous) in pinned
        for slot, number in enumerate(held)
    ]
    bound = Counter(number for number, is_fixed in zip(held, fixed, strict=True) if is_fixed)
    counts = Counter(held)
    quota = _quotas(counts, bound, shares, len(held))
    if counts == quota:
        return held
    return _filled(_kept(held, fixed, quota), quota)


def _grown(previous: tuple[int, ...], shares: Iterable[int]) -> tuple[int, ...]:
    """The previous table, doubled until it is large enough.

    Doubling repeats the table: `hash mod 2n` is `hash mod n` or that plus n, so nothing moves.
    """
    every = list(shares)
    total, smallest = sum(every), min(every)
    table = previous or (NO_CONTAINER,) * SLOT_COUNTS[0]
    while len(table) < SLOT_COUNTS[-1] and (
        len(table) < len(every) * _SLOTS_A_CONTAINER or len(table) * smallest < total
    ):
        table = table * 2
    return table


def _quotas(
    held: Counter[int], bound: Counter[int], shares: Mapping[int, int], slots: int
) -> dict[int, int]:
    """Slots for each container: what is pinned to it, where that is more than its share; of the
    rest, its exact share rounded down or up."""
    quota: dict[int, int] = {}
    rest = dict(shares)
    while True:
        left = slots - sum(quota.values())
        total = sum(rest.values())
        over = {number for number in rest if bound[number] * total > left * rest[number]}
        if not over:
            return quota | _rounded(held, rest, left)
        for number in over:
            quota[number] = bound[number]
            del rest[number]


def _rounded(held: Counter[int], shares: Mapping[int, int], slots: int) -> dict[int, int]:
    """Exact shares of some slots, rounded down or up.

    Up are rounded first those who would have no slot; then those who already hold more than their
    share rounded down (nothing moves); then the larger remainder, then the smaller number.
    """
    total = sum(shares.values())
    quota = {number: slots * weight // total for number, weight in shares.items()}
    by_claim = sorted(
        (number for number in shares if slots * shares[number] % total),
        key=lambda number: (
            quota[number] > 0,
            held[number] <= quota[number],
            -(slots * shares[number] % total),
            number,
        ),
    )
    for number in by_claim[: slots - sum(quota.values())]:
        quota[number] += 1
    return quota


def _kept(held: tuple[int, ...], fixed: list[bool], quota: Mapping[int, int]) -> list[int]:
    """The table with every slot freed that its holder has too many of, pinned ones last."""
    left = Counter(quota)
    left.subtract(number for number, is_fixed in zip(held, fixed, strict=True) if is_fixed)
    table = []
    for number, is_fixed in zip(held, fixed, strict=True):
        keeps = is_fixed or left[number] > 0
        table.append(number if keeps else NO_CONTAINER)
        if keeps and not is_fixed:
            left[number] -= 1
    return table


def _filled(table: list[int], quota: Mapping[int, int]) -> tuple[int, ...]:
    """The table with its free slots dealt in turn to the containers that lack some."""
    held = Counter(table)
    lacking = {number: quota[number] - held[number] for number in sorted(quota)}
    deal: list[int] = []
    while any(lacking.values()):
        for number, missing in lacking.items():
            if missing:
                deal.append(number)
                lacking[number] -= 1
    order = iter(deal)
    return tuple(number or next(order) for number in table)
