"""What each policy gets: its fair share of the links it may take, its meter, and how it stands.

Every link has a part for each class with guarantees that several policies share, which its queue is
assured of; what these let in is kept within that part, so that no other class can take what was
promised.

Must not know: paths, where anything is, how a rate is divided among switches.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import lru_cache
from itertools import chain

from nib.qos import MIN_RATE_BPS, Policy, QosClass
from nib.rates import show_rate
from qos.allocation import Claim, allocate
from qos.provision import (
    LinkKey,
    LinkState,
    PolicyState,
    Provision,
    Reach,
    State,
    class_of,
    taken,
)


def provided(
    placed: Mapping[str, tuple[Policy, Reach]],
    links: Mapping[LinkKey, LinkState],
    classes: Mapping[str, QosClass],
    called: Callable[[LinkKey], str],
) -> Provision:
    """How every policy stands. links: as `reserved` has them; called: a link's name for people."""
    shares = _shares(placed, links, classes)
    promised = {
        name: frozenset(key for key, link in links.items() if name in link.guaranteed)
        for name in classes
    }
    short = {
        name: frozenset(key for key in keys if links[key].spare(name) < 0)
        for name, keys in promised.items()
    }
    states = {}
    for name, (policy, reach) in placed.items():
        of_class, own = class_of(policy, classes).name, policy.guaranteed_bps or 0
        lacking = [links[key] for key in reach.links & short[of_class]] if own else []
        shortage = _shortage(lacking, of_class, called)
        share = shares.get(name, policy.max_bps)
        metered = policy.max_bps
        # Beside guarantees of others in its class.
        if any(links[key].guaranteed[of_class] > own for key in reach.links & promised[of_class]):
            metered = _metered(policy, share, is_short=bool(shortage))
        states[name] = _state(policy, reach, shortage, share, metered)
    return Provision(states, links)


def _state(
    policy: Policy, reach: Reach, shortage: str, share: float | None, metered: int | None
) -> PolicyState:
    state: State = "waiting" if reach.waiting else "short" if shortage else "active"
    reason = reach.waiting or shortage
    if not reason and metered is not None and metered != policy.max_bps:
        reason = f"at most {show_rate(metered)} beside the guarantees of its class"
    return PolicyState(policy, state, reason, reach, share, metered)


def _metered(policy: Policy, share: float | None, *, is_short: bool) -> int | None:
    """A share as meters have it: whole, not below what is guaranteed, nor above the limit."""
    if share is None:
        return policy.max_bps
    least = MIN_RATE_BPS if is_short else max(MIN_RATE_BPS, policy.guaranteed_bps or 0)
    rate = max(least, round(share))
    return rate if policy.max_bps is None else min(rate, policy.max_bps)


def _shortage(lacking: Sequence[LinkState], of_class: str, called: Callable[[LinkKey], str]) -> str:
    """Why guarantees of a class cannot be kept; "" where no link lacks anything."""
    if not lacking:
        return ""
    worst = min(lacking, key=lambda link: (link.spare(of_class), link.key))
    name = called(worst.key)
    if not worst.rate_bps:
        return f"nobody knows the rate of {name}: state it"
    return f"{name} ({taken(worst, of_class)}) lacks {show_rate(-worst.spare(of_class))}"


# ------------------------------------------------------------------------------- allocation


def _shares(
    placed: Mapping[str, tuple[Policy, Reach]],
    links: Mapping[LinkKey, LinkState],
    classes: Mapping[str, QosClass],
) -> dict[str, float]:
    """The allocation of every policy that a link with a known rate bounds."""
    resources = _Resources(links.values(), classes)
    claims: dict[str, Claim[int]] = {}
    for name, (policy, reach) in placed.items():
        each = class_of(policy, classes)
        used = resources.of(reach.links, each.name)
        if used:
            floor, cap = policy.guaranteed_bps or 0, policy.max_bps or float("inf")
            claims[name] = Claim(used, floor, cap, each.weight)
    shares = _allocated(tuple(claims.values()), tuple(resources.capacities))
    return dict(zip(claims, shares, strict=True))


class _Resources:
    """What has a capacity, by number: links of known rate, and what a class may have of each."""

    def __init__(self, links: Iterable[LinkState], classes: Iterable[str]) -> None:
        self.capacities: list[float] = []
        self._used: dict[str, dict[LinkKey, tuple[int, ...]]] = {name: {} for name in classes}
        for link in links:
            self._number(link)

    def of(self, links: Iterable[LinkKey], of_class: str) -> frozenset[int]:
        """What a policy of a class uses, by the links it may take."""
        return frozenset(chain.from_iterable(map(self._used[of_class].__getitem__, links)))

    def _number(self, link: LinkState) -> None:
        if not link.rate_bps:
            for used in self._used.values():
                used[link.key] = ()
            return
        whole = self._add(link.rate_bps)
        parts = dict(_parts(link))
        for name, used in self._used.items():
            used[link.key] = (whole, self._add(parts[name])) if name in parts else (whole,)

    def _add(self, capacity: float) -> int:
        self.capacities.append(capacity)
        return len(self.capacities) - 1


def _parts(link: LinkState) -> Iterator[tuple[str, int]]:
    """What classes may have of a link where they share guarantees or are short, or a maximum."""
    for name, sure in link.assurances().items():
        if name in link.shared or (name in link.guaranteed and link.spare(name) < 0):
            yield name, sure
        elif link.most(name) < link.rate_bps:
            yield name, link.most(name)


@lru_cache(maxsize=4)
def _allocated(claims: tuple[Claim[int], ...], capacities: tuple[float, ...]) -> tuple[float, ...]:
    """The same for the same: most changes of rows change none of it."""
    return tuple(allocate(claims, dict(enumerate(capacities))))
