"""Desired against installed, one case at a time; tests/property has all of them."""

from __future__ import annotations

from dataclasses import replace

import pytest

from openflow.cookies import GROUP_IDS, METER_IDS, OWNER_COOKIE, with_epoch
from openflow.values import Bucket, Flow, Group, Meter, Output, Rules, match
from ryu_apps.diff import Changes, Installed, alien_flows, desired_of, diff

FLOW = Flow(20, 100, match(in_port=1), (Output(2),), OWNER_COOKIE | 5, origin="service web")
GROUP = Group(GROUP_IDS.start, "select", (Bucket((Output(1),)),))
METER = Meter(METER_IDS.start, 1000, 1000)
RULES = Rules((FLOW,), (GROUP,), (METER,))
DESIRED = desired_of([RULES])
NOBODY = desired_of([])


def holding(rules: Rules) -> Installed:
    desired = desired_of([rules])
    return Installed({**desired.flows}, {**desired.groups}, {**desired.meters})


def test_all_is_added_to_an_empty_switch_and_deleted_from_one_that_nobody_wants() -> None:
    assert diff(DESIRED, Installed()) == Changes(
        add_groups=(GROUP,), add_meters=(METER,), put_flows=(FLOW,)
    )
    assert diff(NOBODY, holding(RULES)) == Changes(
        delete_groups=(GROUP,), delete_meters=(METER,), delete_flows=(FLOW,)
    )


@pytest.mark.parametrize(
    "other",
    [
        replace(FLOW, actions=()),
        replace(FLOW, cookie=OWNER_COOKIE | 6),
        replace(FLOW, cookie=0),
        replace(FLOW, idle_timeout=10),
    ],
)
def test_a_flow_that_differs_is_overwritten(other: Flow) -> None:
    held = holding(replace(RULES, flows=(other,)))
    assert diff(DESIRED, held) == Changes(put_flows=(FLOW,))


@pytest.mark.parametrize(
    "same",
    [
        replace(FLOW, cookie=with_epoch(FLOW.cookie, 9)),
        replace(FLOW, origin=""),
        replace(FLOW, hops=7),
    ],
)
def test_neither_epoch_nor_origin_nor_hops_is_a_difference(same: Flow) -> None:
    groups = (replace(GROUP, origin="elsewhere", hops=7),)
    assert diff(DESIRED, holding(replace(RULES, flows=(same,), groups=groups))) == Changes()


def test_flows_that_exist_are_told_from_new_ones() -> None:
    new = replace(FLOW, priority=7)
    held = holding(replace(RULES, flows=(replace(FLOW, actions=()),)))
    changes = diff(desired_of([Rules((new, FLOW), (GROUP,), (METER,))]), held)
    assert changes.put_flows == (new, FLOW)
    assert changes.overwritten == {FLOW.key}
    assert len(changes) == 2


def test_groups_and_meters_that_differ_are_modified() -> None:
    other = Rules((FLOW,), (replace(GROUP, buckets=()),), (replace(METER, rate_kbps=1),))
    assert diff(DESIRED, holding(other)) == Changes(modify_groups=(GROUP,), modify_meters=(METER,))


def test_what_others_put_there_stays_whether_flow_group_or_meter() -> None:
    """Meters of others went at first; a switch deletes the flows that name them."""
    others = Rules(
        (replace(FLOW, cookie=0),), (replace(GROUP, group_id=1),), (replace(METER, meter_id=1),)
    )
    assert diff(NOBODY, holding(others)) == Changes()
    assert alien_flows(NOBODY, holding(others)) == [*others.flows]


def test_a_part_deletes_only_what_the_same_part_had_before() -> None:
    mine = replace(FLOW, priority=1)
    held = holding(Rules((FLOW, mine)))
    assert diff(NOBODY, held, before=desired_of([Rules((mine,))])) == Changes(delete_flows=(mine,))
    assert diff(NOBODY, held, before=NOBODY) == Changes()


def test_what_passes_from_one_part_to_another_is_not_deleted() -> None:
    before, after = desired_of([Rules((FLOW,))]), desired_of([Rules((replace(FLOW, actions=()),))])
    held = holding(Rules((FLOW,)))
    assert diff(after, held, before) == Changes(put_flows=(replace(FLOW, actions=()),))


@pytest.mark.parametrize(
    "part", [Rules((FLOW,)), Rules((), (GROUP,)), Rules((), (), (METER,))], ids=str
)
def test_two_parts_with_one_key_are_an_error(part: Rules) -> None:
    with pytest.raises(ValueError, match="two units"):
        desired_of([part, part])


def test_confirming_adds_changes_and_takes_away() -> None:
    held = holding(RULES)
    added = replace(FLOW, priority=7)
    held.confirm(
        Changes(
            put_flows=(added, replace(FLOW, actions=())),
            modify_groups=(replace(GROUP, buckets=()),),
            delete_meters=(METER,),
        )
    )
    assert held.flows == {added.key: added, FLOW.key: replace(FLOW, actions=())}
    assert held.groups == {GROUP.group_id: replace(GROUP, buckets=())}
    assert held.meters == {}
    held.confirm(Changes(delete_flows=(added, added), add_meters=(METER,)))
    assert (len(held.flows), held.meters) == (1, {METER.meter_id: METER})


def test_changes_are_counted() -> None:
    assert (len(Changes()), len(diff(DESIRED, Installed()))) == (0, 3)
