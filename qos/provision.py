"""What links are promised for, as values: reaches, guarantees on links, how policies stand.

A guarantee is reserved whole on every link that its traffic may take, for nobody knows which of
several paths a connection is led by.

Rates are bits a second of whole Ethernet frames. Must not know: paths, where anything is, meters.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Final, Literal, TypeAlias

from nib.mirror import Lookups
from nib.qos import Policy, QosClass
from nib.rates import show_rate
from nib.topology import Switch
from qos.classes import DEFAULT, PRESETS

LinkKey: TypeAlias = tuple[str, str]  # (datapath id, port name): what leaves by that port

State: TypeAlias = Literal["active", "waiting", "short"]

_NOTHING: Final[Mapping[str, int]] = {}


@dataclass(frozen=True, slots=True)
class Reach:
    """Where a policy's traffic comes in, and every link that it may take.

    ingress: containers of its source by datapath id, 1 each where its source is anyone; links: none
    where its destination is anyone; waiting: why there is nothing yet, "" where there is.
    """

    ingress: Mapping[str, int]
    links: frozenset[LinkKey]
    waiting: str = ""


@dataclass(frozen=True, slots=True)
class LinkState:
    """One direction of a link, and the guarantees on it by class.

    rate_bps: 0 = nobody knows; stated: it is an operator's word; guaranteed: sums above 0; shared:
    of the classes with guarantees those that several policies have there.
    """

    key: LinkKey
    rate_bps: int
    stated: bool
    guaranteed: Mapping[str, int] = field(default_factory=dict)
    classes: Mapping[str, QosClass] = field(default_factory=lambda: PRESETS)
    shared: frozenset[str] = frozenset()

    @property
    def guaranteed_bps(self) -> int:
        """All guarantees."""
        return sum(self.guaranteed.values())

    @property
    def free_bps(self) -> int:
        """What is neither guaranteed nor the minimum of a class."""
        return max(0, self.rate_bps - sum(map(self.minimum, self.classes)))

    def minimum(self, name: str) -> int:
        """What a class has at least: its guarantees, or its part of the link where that is more."""
        percent = self.classes[name].min_percent if name in self.classes else 0
        return max(self.rate_bps * percent // 100, self.guaranteed.get(name, 0))

    def most(self, name: str) -> int:
        """What a class may use of the link at most."""
        percent = self.classes[name].max_percent if name in self.classes else 100
        return self.rate_bps * percent // 100

    def kept(self, name: str) -> int:
        """The minima of all classes but this one."""
        return sum(self.minimum(other) for other in self.classes if other != name)

    def spare(self, name: str) -> int:
        """What more a class can guarantee; below 0 where it has too much."""
        room = min(self.most(name), self.rate_bps - self.kept(name))
        return room - self.guaranteed.get(name, 0)

    def free(self, name: str) -> int:
        """What more a class can guarantee."""
        return max(0, self.spare(name))

    def assured(self, name: str) -> int:
        """What a class's queue is sure of, whatever others send; see `assurances`."""
        return self.assurances().get(name, 0)

    def assurances(self) -> dict[str, int]:
        """What each class's queue is sure of, together the rate at most.

        Its minimum; where it has guarantees and is shared also its part, by weight among all
        classes, of what is nobody's. Where the minima do not fit, all are cut by the same part.
        """
        sure = {each: min(self.minimum(each), self.most(each)) for each in self.classes}
        left = self.rate_bps - sum(sure.values())
        if left < 0:
            total = self.rate_bps - left
            return {each: sum_ * self.rate_bps // total for each, sum_ in sure.items()}
        weights = sum(each.weight for each in self.classes.values())
        for each in self.shared:
            part = left * self.classes[each].weight // weights
            sure[each] = min(sure[each] + part, self.most(each))
        return sure


@dataclass(frozen=True, slots=True)
class PolicyState:
    """How a policy stands.

    state: "waiting" until its services have places; "short" where a link cannot carry what is
    guaranteed, which all on it then share; reason: why, or what else limits it. allocated_bps: its
    fair share, None where nothing bounds it; metered_bps: what all switches that it comes in at let
    through together, None = all.
    """

    policy: Policy
    state: State
    reason: str
    reach: Reach
    allocated_bps: float | None = None
    metered_bps: int | None = None


@dataclass(frozen=True, slots=True)
class Provision:
    """Every policy by name, and every link: of the fabric, of a policy, or with a stated rate."""

    policies: Mapping[str, PolicyState]
    links: Mapping[LinkKey, LinkState]


def link_name(key: LinkKey, view: Lookups) -> str:
    """A link for people: its switch's name, or datapath id where it has none, and its port."""
    switch = view.get(Switch, key[0])
    return f"{switch.name if switch and switch.name else key[0]} {key[1]}"


def taken(link: LinkState, name: str) -> str:
    """What a link has, and what of it is promised beside a class, for people."""
    guaranteed = link.guaranteed.get(name, 0)
    said = f"{show_rate(guaranteed)} guaranteed" if guaranteed else "nothing guaranteed"
    text = f"{show_rate(link.rate_bps)}: class {name} has {said}"
    kept = link.kept(name)
    if link.most(name) < link.rate_bps - kept:
        return f"{text} of {show_rate(link.most(name))} at most"
    return f"{text}, {show_rate(kept)} are kept for other classes" if kept else text


def class_of(policy: Policy, classes: Mapping[str, QosClass]) -> QosClass:
    """A policy's class; the default one where its own is gone."""
    return classes.get(policy.qos_class) or classes[DEFAULT]


def reserved(
    rates: Mapping[LinkKey, tuple[int, bool]],
    placed: Iterable[tuple[Policy, Reach]],
    classes: Mapping[str, QosClass],
) -> dict[LinkKey, LinkState]:
    """Every link with the guarantees on it. rates: (rate_bps, stated) of each link in a reach."""
    sums: dict[LinkKey, dict[str, int]] = {}
    users: Counter[tuple[LinkKey, str]] = Counter()
    for policy, reach in placed:
        name = class_of(policy, classes).name
        for key in reach.links:
            users[key, name] += 1
            if policy.guaranteed_bps is not None:
                on_link = sums.setdefault(key, {})
                on_link[name] = on_link.get(name, 0) + policy.guaranteed_bps
    return {
        key: LinkState(
            key,
            rate,
            stated,
            sums.get(key, _NOTHING),
            classes,
            frozenset(name for name in sums.get(key, _NOTHING) if users[key, name] > 1),
        )
        for key, (rate, stated) in rates.items()
    }
