"""What links cannot carry is refused, with the link, what is free there, and what to do."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import pytest

from nib.errors import FieldError
from nib.mirror import Mirror, RowChange
from nib.qos import LinkRate, Policy, QosClass
from nib.topology import Switch
from qos.admission import check
from qos.classes import PRESETS
from qos.provision import LinkKey, LinkState

M = 1_000_000
LEAF, OTHER = "0000000000000001", "0000000000000002"
KEY, NEXT = (LEAF, "eth2"), (OTHER, "eth1")
VIEW = Mirror()
VIEW.apply(RowChange(None, Switch(LEAF, 1, "leaf1")))


def links(*each: LinkState) -> Mapping[LinkKey, LinkState]:
    return {link.key: link for link in each}


def link(rate: int = 100 * M, key: LinkKey = KEY, **guaranteed: int) -> LinkState:
    return LinkState(key, rate, stated=True, guaranteed=guaranteed)


def policy(guaranteed: int | None, of_class: str = "interactive") -> Policy:
    return Policy("p", None, "sql", of_class, guaranteed)


def refused(
    before: Mapping[LinkKey, LinkState],
    after: Mapping[LinkKey, LinkState],
    changed: Policy | QosClass | LinkRate | None,
) -> str:
    with pytest.raises(FieldError) as caught:
        check(before, after, changed, VIEW)
    return str(caught.value)


def test_what_fits_passes() -> None:
    check(links(link()), links(link(interactive=65 * M)), policy(65 * M), VIEW)


def test_too_much_names_the_link_what_is_free_and_the_remedy() -> None:
    before, after = links(link(interactive=45 * M)), links(link(interactive=105 * M))
    assert refused(before, after, policy(60 * M)) == (
        "guaranteed_bps: 60M asked, but 20M are free on leaf1 eth2 (100M: class interactive has 45M"
        " guaranteed, 35M are kept for other classes); guarantee at most 20M, or state a higher"
        " rate of the link"
    )


def test_the_link_with_the_least_free_is_named() -> None:
    before = links(link(), link(50 * M, NEXT))
    after = links(link(interactive=90 * M), link(50 * M, NEXT, interactive=90 * M))
    assert "32.5M are free on 0000000000000002 eth1 (50M: " in refused(
        before, after, policy(90 * M)
    )


def test_where_nothing_is_free_no_rate_is_offered() -> None:
    before, after = links(link(interactive=65 * M)), links(link(interactive=66 * M))
    assert refused(before, after, policy(M)).endswith(
        "; leave it out, or state a higher rate of the link"
    )


def test_what_is_said_to_be_free_is_free() -> None:
    rate = 99_998_000
    told = refused(links(link(rate)), links(link(rate, interactive=rate)), policy(rate))
    assert "guarantee at most 64.99M" in told
    check(links(link(rate)), links(link(rate, interactive=64_990_000)), policy(64_990_000), VIEW)


def test_a_class_guarantees_no_more_than_its_maximum() -> None:
    told = refused(links(link()), links(link(realtime=60 * M)), policy(60 * M, "realtime"))
    assert "(100M: class realtime has nothing guaranteed of 50M at most)" in told
    assert "guarantee at most 50M" in told


def test_an_unknown_rate_is_refused_with_the_command_that_states_it() -> None:
    told = refused(links(link(0)), links(link(0, interactive=M)), policy(M))
    assert told == (
        "guaranteed_bps: nobody knows the rate of leaf1 eth2, which it may take; state it:"
        " `prewire link-rate set leaf1 eth2 RATE`, or leave guaranteed_bps out"
    )


def test_what_makes_a_short_link_no_worse_passes() -> None:
    short = links(link(interactive=90 * M))
    check(short, short, policy(None, "bulk"), VIEW)
    check(short, links(link(interactive=80 * M)), policy(80 * M), VIEW)
    check(short, links(link()), policy(90 * M), VIEW)
    with pytest.raises(FieldError):
        check(short, links(link(interactive=91 * M)), policy(91 * M), VIEW)


def test_a_new_guarantee_on_a_short_link_is_refused_even_within_the_part_of_its_class() -> None:
    short, more = links(link(interactive=90 * M)), links(link(interactive=90 * M, realtime=M))
    with pytest.raises(FieldError):
        check(short, more, policy(M, "realtime"), VIEW)


def test_a_rate_below_what_is_guaranteed_is_refused() -> None:
    before, after = links(link(interactive=60 * M)), links(link(50 * M, interactive=60 * M))
    told = refused(before, after, LinkRate(*KEY, 50 * M))
    assert told == (
        "bps: 50M is too little for leaf1 eth2: 60M of class interactive are guaranteed;"
        " give at least 92.31M, or lower guarantees first"
    )
    enough = links(link(92_310_000, interactive=60 * M))
    check(before, enough, LinkRate(*KEY, 92_310_000), VIEW)


def test_a_rate_that_nobody_else_knows_cannot_be_deleted_under_a_guarantee() -> None:
    before, after = links(link(realtime=M)), links(link(0, realtime=M))
    told = refused(before, after, LinkRate(*KEY, 100 * M))
    assert told.startswith("bps: nothing that anybody knows of is too little for leaf1 eth2: 1M of")


def test_a_minimum_that_takes_from_guarantees_is_refused() -> None:
    before = link(interactive=60 * M)
    bulk = replace(PRESETS["bulk"], min_percent=20)
    after = replace(before, classes={**PRESETS, "bulk": bulk})
    assert refused(links(before), links(after), bulk) == (
        "min_percent: 20 % leave too little of leaf1 eth2 (100M: class interactive has 60M"
        " guaranteed, 50M are kept for other classes); give less, or lower guarantees first"
    )


def test_a_maximum_below_what_is_guaranteed_is_refused() -> None:
    before = link(interactive=41 * M)
    lower = replace(PRESETS["interactive"], max_percent=40)
    after = replace(before, classes={**PRESETS, "interactive": lower})
    assert refused(links(before), links(after), lower) == (
        "max_percent: 40 % of leaf1 eth2 (100M) are less than the 41M guaranteed in the class;"
        " give at least 41, or lower guarantees first"
    )


def test_several_changes_at_once_are_judged_together() -> None:
    before = links(link(interactive=60 * M), link(0, NEXT))
    check(before, links(link(interactive=30 * M, realtime=30 * M)), None, VIEW)
    told = refused(before, links(link(interactive=60 * M, realtime=30 * M)), None)
    assert told.startswith("guaranteed_bps: leaf1 eth2 lacks 15M (100M: class ")
    unknown = refused(before, links(link(0, NEXT, realtime=M)), None)
    assert unknown.startswith("guaranteed_bps: nobody knows the rate of 0000000000000002 eth1; ")
