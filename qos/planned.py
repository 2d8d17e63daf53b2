"""What links admit of rates that plans and overrides ask for.

Guarantees that policies have of their own come first. What links have left is shared among those
that ask for more by `qos.allocation`, and each has of that what every link it may take can carry:
a planned guarantee is cut, never refused as a whole, and says why. A planned limit is no higher
than what the destination's ports carry together.

Pure. Must not know: paths, where anything is, when plans hold.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Final

from nib.qos import MIN_RATE_BPS, Policy, QosClass
from nib.rates import show_rate
from qos.allocation import Claim, allocate
from qos.provision import LinkKey, LinkState, Reach, class_of, reserved, taken

_STEP_BPS: Final = 1_000  # what is cut is cut to whole ones: meters know no less
_POOL: Final = ""  # of a link: what no class has, and may have


@dataclass(frozen=True, slots=True)
class Admitted:
    """The rates that a policy can have; None = none. refused: why they are not all that is asked,
    "" where they are."""

    max_bps: int | None
    guaranteed_bps: int | None
    refused: str = ""


@dataclass(frozen=True, slots=True)
class Network:
    """What there is for policies to be admitted to.

    rates: (rate_bps, stated) of every link in a reach; is_edge: whether a container, not another
    switch, is at its end; called: its name for people.
    """

    rates: Mapping[LinkKey, tuple[int, bool]]
    classes: Mapping[str, QosClass]
    is_edge: Callable[[LinkKey], bool]
    called: Callable[[LinkKey], str]


@dataclass(frozen=True, slots=True)
class _Ask:
    """More of a guarantee than is reserved already: so many bits a second, on these links."""

    name: str
    of_class: QosClass
    links: frozenset[LinkKey]
    more: int


def admitted(
    wanted: Mapping[str, Policy], placed: Mapping[str, tuple[Policy, Reach]], network: Network
) -> dict[str, Admitted]:
    """What each of these policies can have of the rates it comes with.

    placed: every policy as it is without that, by name. Where one asks for less of a guarantee
    than it has, others may have the rest.
    """
    asks = list(_asks(wanted, placed, network))
    links = _reserved(wanted, placed, network) if asks else {}
    more = dict(zip((ask.name for ask in asks), _shared(asks, links), strict=True))
    found = {}
    for name, policy in wanted.items():
        known, reach = placed[name]
        sure = _guarantee(policy, known, more.get(name, 0.0))
        most, why = _limit(policy, placed[name], sure or 0, network)
        reasons = [why] if why else []
        if sure != policy.guaranteed_bps:
            on = [links[key] for key in reach.links]
            reasons.append(_cut(policy, sure, on, network))
        found[name] = Admitted(most, sure, "; ".join(reasons))
    return found


def _reserved(
    wanted: Mapping[str, Policy], placed: Mapping[str, tuple[Policy, Reach]], network: Network
) -> dict[LinkKey, LinkState]:
    """Links with what is guaranteed whatever is admitted."""
    held = (
        (replace(policy, guaranteed_bps=_kept(policy, wanted[name])), reach)
        if name in wanted
        else (policy, reach)
        for name, (policy, reach) in placed.items()
    )
    return reserved(network.rates, held, network.classes)


def _kept(known: Policy, wanted: Policy) -> int | None:
    """What a policy keeps of its guarantee, whatever is admitted."""
    return min(known.guaranteed_bps or 0, wanted.guaranteed_bps or 0) or None


def _asks(
    wanted: Mapping[str, Policy], placed: Mapping[str, tuple[Policy, Reach]], network: Network
) -> Iterable[_Ask]:
    for name, policy in sorted(wanted.items()):
        known, reach = placed[name]
        more = (policy.guaranteed_bps or 0) - (_kept(known, policy) or 0)
        if more > 0:
            yield _Ask(name, class_of(known, network.classes), reach.links, more)


def _guarantee(policy: Policy, known: Policy, more: float) -> int | None:
    """The guarantee that a policy can have, with so much more than what it keeps."""
    asked, kept = policy.guaranteed_bps, _kept(known, policy) or 0
    if asked is None or kept + more > asked - 1:
        return asked
    sure = max(kept, int(kept + more) // _STEP_BPS * _STEP_BPS)
    return sure if sure >= MIN_RATE_BPS else None


def _cut(policy: Policy, sure: int | None, on: Iterable[LinkState], network: Network) -> str:
    """Why a guarantee is not what is asked. on: the links that it may take."""
    name = class_of(policy, network.classes).name
    worst = min(on, key=lambda link: (link.spare(name), link.key))
    called, asked = network.called(worst.key), show_rate(policy.guaranteed_bps or 0)
    given = "nothing" if sure is None else show_rate(sure)
    reason = f"{called} ({taken(worst, name)})"
    if not worst.rate_bps:
        reason = f"nobody knows the rate of {called}"
    return f"a guarantee of {asked} is asked for, there is room for {given}: {reason}"


def _limit(
    policy: Policy, placed: tuple[Policy, Reach], sure: int, network: Network
) -> tuple[int | None, str]:
    """(The limit, why it is not what is asked); the policy's own is as it is."""
    (known, reach), most = placed, policy.max_bps
    if most is None or most == known.max_bps:
        return most, ""
    ports = [network.rates[key][0] for key in reach.links if network.is_edge(key)]
    carried = max(sure, sum(ports))
    if not ports or not all(ports) or carried >= most:
        return most, ""
    limit = show_rate(sum(ports))
    text = f"a limit of {show_rate(most)} is asked for, its destination's ports carry {limit}"
    return carried, text


# ------------------------------------------------------------------------------- sharing


def _shared(asks: list[_Ask], links: Mapping[LinkKey, LinkState]) -> list[float]:
    """How much more of a guarantee each can have, in their order: never more than links carry."""
    asking: dict[LinkKey, set[str]] = {}
    for ask in asks:
        for key in ask.links:
            asking.setdefault(key, set()).add(ask.of_class.name)
    several = {key for key, names in asking.items() if len(names) > 1}
    capacities: dict[tuple[LinkKey, str], float] = {
        (key, name): links[key].free(name) for key, names in asking.items() for name in names
    }
    for key in several:
        idle = sum(_idle(links[key], name) for name in asking[key])
        capacities[key, _POOL] = links[key].free_bps + idle
    shares = allocate([_claim(ask, several) for ask in asks], capacities)
    parts = _parts(asks, shares, links, several)
    return [
        share * min((parts[key, ask.of_class.name] for key in ask.links & several), default=1.0)
        for ask, share in zip(asks, shares, strict=True)
    ]


def _claim(ask: _Ask, several: set[LinkKey]) -> Claim[tuple[LinkKey, str]]:
    used = [(key, ask.of_class.name) for key in ask.links]
    used += [(key, _POOL) for key in ask.links & several]
    return Claim(frozenset(used), 0.0, float(ask.more), ask.of_class.weight)


def _parts(
    asks: Iterable[_Ask],
    shares: Iterable[float],
    links: Mapping[LinkKey, LinkState],
    several: set[LinkKey],
) -> dict[tuple[LinkKey, str], float]:
    """The part of their shares that classes can have together of a link where several ask.

    What a class has idle is its own; what all have beyond that is cut by one part.
    """
    sums: dict[LinkKey, dict[str, float]] = {}
    for ask, share in zip(asks, shares, strict=True):
        for key in ask.links & several:
            on_link = sums.setdefault(key, {})
            on_link[ask.of_class.name] = on_link.get(ask.of_class.name, 0.0) + share
    found = {}
    for key, on_link in sums.items():
        own = {name: min(sum_, _idle(links[key], name)) for name, sum_ in on_link.items()}
        beyond = sum(on_link.values()) - sum(own.values())
        part = min(1.0, links[key].free_bps / beyond) if beyond > 0 else 1.0
        for name, sum_ in on_link.items():
            kept = own[name] + part * (sum_ - own[name])
            found[key, name] = kept / sum_ if sum_ > 0 else 1.0
    return found


def _idle(link: LinkState, name: str) -> int:
    """What of a class's minimum on a link is not guaranteed to anybody."""
    return link.minimum(name) - link.guaranteed.get(name, 0)
