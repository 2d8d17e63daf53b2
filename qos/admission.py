"""Whether links can carry what a change would promise on them.

A change is refused only where it takes from what a class with guarantees may still guarantee on a
link, and leaves less than nothing: what lowers a guarantee, or has nothing to do with a link that
is short, is never in the way.

Must not know: paths, HTTP, how a change is made.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import NamedTuple

from nib.errors import FieldError
from nib.mirror import Lookups
from nib.qos import MAX_RATE_BPS, MIN_RATE_BPS, LinkRate, Policy, QosClass
from nib.rates import show_rate
from qos.provision import LinkKey, LinkState, link_name, taken

Links = Mapping[LinkKey, LinkState]


class _Lack(NamedTuple):
    """What a class lacks on a link; below 0, as `LinkState.spare`."""

    spare: int
    key: LinkKey
    of_class: str


def check(
    before: Links, after: Links, changed: Policy | QosClass | LinkRate | None, view: Lookups
) -> None:
    """Raise FieldError where the links after a change cannot carry what it promises.

    changed: the row after the change, or the one that was deleted; None: several at once. view: for
    the names of switches.
    """
    worst = min(_lacks(before, after), default=None)
    if worst is None:
        return
    link, name = after[worst.key], link_name(worst.key, view)
    match changed:
        case Policy():
            raise _of_policy(changed, link, name)
        case QosClass():
            raise _of_class(changed, link, worst.of_class, name)
        case LinkRate():
            raise _of_rate(link, name)
        case _:
            raise _of_several(link, worst, name)


def _lacks(before: Links, after: Links) -> Iterator[_Lack]:
    """Where a class with guarantees has less than nothing to spare, and less than before."""
    for key, link in after.items():
        known = before.get(key)
        for name in link.guaranteed:
            spare = link.spare(name)
            if spare < 0 and (known is None or spare < known.spare(name)):
                yield _Lack(spare, key, name)


def _of_policy(policy: Policy, link: LinkState, name: str) -> FieldError:
    asked = policy.guaranteed_bps or 0
    if not link.rate_bps:
        return FieldError(
            "guaranteed_bps", f"nobody knows the rate of {name}, which it may take", _state(name)
        )
    free = asked + link.spare(policy.qos_class)
    others = dict(link.guaranteed)
    others[policy.qos_class] = others.get(policy.qos_class, 0) - asked
    without = replace(link, guaranteed={each: sum_ for each, sum_ in others.items() if sum_ > 0})
    most = show_rate(free - free % _step(free))  # what people are told must be admitted
    shown = "nothing is" if free < MIN_RATE_BPS else f"{most} are"
    return FieldError(
        "guaranteed_bps",
        f"{show_rate(asked)} asked, but {shown} free on {name}"
        f" ({taken(without, policy.qos_class)})",
        "leave it out, or state a higher rate of the link"
        if free < MIN_RATE_BPS
        else f"guarantee at most {most}, or state a higher rate of the link",
    )


def _of_class(changed: QosClass, link: LinkState, of_class: str, name: str) -> FieldError:
    """of_class: the one that lacks what the changed one takes; itself where it may have less."""
    each = link.classes.get(changed.name, changed)
    guaranteed = link.guaranteed[of_class]
    if of_class == each.name and guaranteed > link.most(of_class):
        return FieldError(
            "max_percent",
            f"{each.max_percent} % of {name} ({show_rate(link.rate_bps)}) are less than the"
            f" {show_rate(guaranteed)} guaranteed in the class",
            f"give at least {-(-100 * guaranteed // link.rate_bps)}, or lower guarantees first",
        )
    return FieldError(
        "min_percent",
        f"{each.min_percent} % leave too little of {name} ({taken(link, of_class)})",
        "give less, or lower guarantees first",
    )


def _of_rate(link: LinkState, name: str) -> FieldError:
    least = _least_rate(link)
    said = show_rate(link.rate_bps) if link.rate_bps else "nothing that anybody knows of"
    return FieldError(
        "bps",
        f"{said} is too little for {name}: {_listed(link)} guaranteed",
        "lower guarantees first"
        if least is None
        else f"give at least {show_rate(least)}, or lower guarantees first",
    )


def _of_several(link: LinkState, worst: _Lack, name: str) -> FieldError:
    if not link.rate_bps:
        return FieldError("guaranteed_bps", f"nobody knows the rate of {name}", _state(name))
    return FieldError(
        "guaranteed_bps",
        f"{name} lacks {show_rate(-worst.spare)} ({taken(link, worst.of_class)})",
        "guarantee less, or state a higher rate of the link",
    )


def _state(name: str) -> str:
    return f"state it: `prewire link-rate set {name} RATE`, or leave guaranteed_bps out"


def _listed(link: LinkState) -> str:
    """The guarantees on a link by class."""
    sums = sorted(link.guaranteed.items(), key=lambda each: (-each[1], each[0]))
    return " and ".join(f"{show_rate(sum_)} of class {name}" for name, sum_ in sums) + " are"


def _least_rate(link: LinkState) -> int | None:
    """About the least rate at which a link carries its guarantees; None where none would do."""

    def fits(rate_bps: int) -> bool:
        rated = replace(link, rate_bps=rate_bps)
        return all(rated.spare(name) >= 0 for name in rated.guaranteed)

    least = bisect_left(range(MAX_RATE_BPS + 1), x=True, key=fits)
    rounded = least + -least % _step(least)
    return rounded if rounded <= MAX_RATE_BPS else None


def _step(bps: int) -> int:
    """What a rate is rounded by for people, to four digits."""
    step: int = 10 ** max(0, len(str(abs(bps))) - 4)
    return step
