"""Dividing what a policy may send among the switches that its traffic comes in at.

First by how many of its sources each switch has; once it is known what is offered where, a switch
that needs less leaves the rest to others. Every switch keeps a little, for what begins there. Pure:
numbers in, numbers out.

Must not know: where sources are, how counters are read.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from nib.qos import PolicyShare
from qos.allocation import Claim, allocate
from qos.provision import PolicyState

_KEPT: Final = 0.05  # part of an even share that a switch has whatever is offered there
_HEADROOM: Final = 1.25  # of what is offered: so much it may grow until it is divided anew
_WORTH: Final = 0.10  # part of the limit that a switch's share must change by, to be changed
_RAISE_WORTH: Final = 0.05  # part of an allocated rate that it must rise by, to be raised


def shares_of(
    state: PolicyState, offered: Mapping[str, float], held: Mapping[str, PolicyShare]
) -> dict[str, PolicyShare]:
    """What every switch lets through of a policy, by datapath id; none where nothing is limited.

    offered: bits a second by switch, as far as known; held: the shares so far.
    """
    policy, ingress = state.policy, state.reach.ingress
    bps = _settled(state, sum(share.bps or 0 for share in held.values()))
    if not ingress or (bps is None and policy.max_pps is None):
        return {}
    parts = _parts(bps, ingress, offered)
    before = _parts_of(held)
    if before.keys() == parts.keys() and all(
        abs(part - before[switch]) <= _WORTH for switch, part in parts.items()
    ):
        parts = before
        if _totals(held) == (bps, policy.max_pps):
            return dict(held)
    bits, packets = _split(bps, parts), _split(policy.max_pps, parts)
    return {
        switch: PolicyShare(policy.name, switch, bits.get(switch), packets.get(switch))
        for switch in parts
    }


def _settled(state: PolicyState, held: int) -> int | None:
    """The rate to divide: one that was allocated is raised only when it is worth it."""
    bps = state.metered_bps
    if bps is None or bps == state.policy.max_bps:
        return bps
    return held if held <= bps <= held * (1 + _RAISE_WORTH) else bps


def _parts(
    limit: int | None, ingress: Mapping[str, int], offered: Mapping[str, float]
) -> dict[str, float]:
    """The part of the whole that each switch has."""
    total = sum(ingress.values())
    even = {switch: count / total for switch, count in sorted(ingress.items())}
    if limit is None or not offered:
        return even
    claims = [
        Claim(frozenset((0,)), part * _KEPT, _need(offered.get(switch, 0), limit, part), part)
        for switch, part in even.items()
    ]
    given = allocate(claims, {0: 1.0})
    spare = max(0.0, 1.0 - sum(given))
    return {
        switch: got + spare * part for (switch, part), got in zip(even.items(), given, strict=True)
    }


def _need(offered: float, limit: int, part: float) -> float:
    """The part of the limit that a switch can use, at least what it keeps."""
    return max(part * _KEPT, _HEADROOM * offered / limit)


def _parts_of(held: Mapping[str, PolicyShare]) -> dict[str, float]:
    """The parts that shares are of their sum."""
    sizes = {switch: share.bps or share.pps or 1 for switch, share in held.items()}
    total = sum(sizes.values())
    return {switch: size / total for switch, size in sizes.items()}


def _totals(held: Mapping[str, PolicyShare]) -> tuple[int | None, int | None]:
    """Bits and packets a second of all shares together."""
    bits = [share.bps for share in held.values() if share.bps is not None]
    packets = [share.pps for share in held.values() if share.pps is not None]
    return sum(bits) if bits else None, sum(packets) if packets else None


def _split(limit: int | None, parts: Mapping[str, float]) -> dict[str, int]:
    """Whole numbers that are these parts of a limit, and the limit together; 1 at least."""
    if limit is None:
        return {}
    whole = {switch: max(1, int(limit * part)) for switch, part in parts.items()}
    largest = max(whole, key=lambda switch: whole[switch])
    return whole | {largest: max(1, whole[largest] + limit - sum(whole.values()))}
