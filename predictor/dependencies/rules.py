"""Dependencies as rows: what was learned, under an operator's rules.

Must not know: loads, how dependencies are learned.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from nib.plans import Dependency
from nib.prewarm import DependencyRule


def ruled(learned: Iterable[Dependency], rules: Iterable[DependencyRule]) -> tuple[Dependency, ...]:
    """With pins and bans, sorted by parent and child.

    A pin keeps what was learned of its pair, and its own lag where it gives one; without either, a
    lag of 0. A ban stays in the list, as banned.
    """
    found = {each.key: each for each in learned}
    for rule in rules:
        known = found.get(rule.key) or Dependency(rule.parent, rule.child, 0)
        if rule.verdict == "ban":
            found[rule.key] = replace(known, source="banned")
        else:
            lag_ms = known.lag_ms if rule.lag_ms is None else rule.lag_ms
            found[rule.key] = replace(known, source="pinned", lag_ms=lag_ms)
    return tuple(found[key] for key in sorted(found))


def union(fine: Iterable[Dependency], coarse: Iterable[Dependency]) -> tuple[Dependency, ...]:
    """Of what two step sizes tell: the finer one's word where both have a pair, save that a pin
    without a slope takes the coarser's."""
    found = {each.key: each for each in coarse}
    for each in fine:
        other = found.get(each.key)
        if other and not each.slope_permille and other.slope_permille:
            each = replace(each, slope_permille=other.slope_permille)  # noqa: PLW2901
        found[each.key] = each
    return tuple(found[key] for key in sorted(found))
