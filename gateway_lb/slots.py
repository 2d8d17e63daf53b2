"""Slot tables: which container answers which slot of a service's select group.

Open vSwitch maps a new connection to bucket `hash mod n` of a group with n equal buckets. A slot
table names the container of each bucket. It gives every container its exact share within one slot
and, on any change, moves the fewest slots that the new shares allow; a container that keeps its
share keeps its slots. The previous table is an argument, so any controller that reads the same
state computes the same table.

Must not know: flows, groups, what a container is (it sees numbers and weights).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import Final

# dp_hash select groups use at most 256 hash values; beyond, Open vSwitch silently falls back to a
# slow per-connection hash.
SLOT_COUNTS: Final = (64, 128, 256)
MAX_CONTAINERS: Final = SLOT_COUNTS[-1]
NO_CONTAINER: Final = 0

# Slots a container should have at least, for shares to be even within 1/4.
_SLOTS_A_CONTAINER: Final = 4


def slot_table(previous: tuple[int, ...], weights: Mapping[int, int]) -> tuple[int, ...]:
    """The next slot table.

    previous: the table in force, () at first; weights: container number -> weight >= 0. Returns
    container numbers by slot, 64, 128 or 256 of them; () where no container has a weight.
    """
    shares = {number: weight for number, weight in weights.items() if weight > 0}
    if not shares:
        return ()
    held = _grown(previous, len(shares))
    quota = _quotas(Counter(held), shares, len(held))
    return _filled(_kept(held, quota), quota)


def _grown(previous: tuple[int, ...], containers: int) -> tuple[int, ...]:
    """The previous table, doubled until it is large enough.

    Doubling repeats the table: `hash mod 2n` is `hash mod n` or that plus n, so nothing moves.
    """
    wanted = min(containers * _SLOTS_A_CONTAINER, SLOT_COUNTS[-1])
    table = previous or (NO_CONTAINER,) * SLOT_COUNTS[0]
    while len(table) < wanted:
        table = table * 2
    return table


def _quotas(held: Counter[int], shares: Mapping[int, int], slots: int) -> dict[int, int]:
    """Slots for each container: its exact share rounded down or up.

    Those who already hold more than their share rounded down keep the extra slot first (nothing
    moves); then the larger remainder, then the smaller number.
    """
    total = sum(shares.values())
    quota = {number: slots * weight // total for number, weight in shares.items()}
    by_claim = sorted(
        (number for number in shares if slots * shares[number] % total),
        key=lambda number: (
            held[number] <= quota[number],
            -(slots * shares[number] % total),
            number,
        ),
    )
    for number in by_claim[: slots - sum(quota.values())]:
        quota[number] += 1
    return quota


def _kept(held: tuple[int, ...], quota: Mapping[int, int]) -> list[int]:
    """The table with every slot freed that its holder has too many of."""
    left = dict(quota)
    table = []
    for number in held:
        keeps = left.get(number, 0) > 0
        table.append(number if keeps else NO_CONTAINER)
        if keeps:
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
