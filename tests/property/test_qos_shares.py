"""A limit divided among switches: all of it, nobody left out, steady, following what is offered."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from nib.qos import Policy, PolicyShare
from qos.provision import PolicyState, Reach
from qos.shares import shares_of
from tests.nib_strategies import examples

_SWITCHES = [f"{number:016x}" for number in range(1, 6)]
limits = st.integers(1_000_000, 10_000_000_000)
ingresses = st.dictionaries(st.sampled_from(_SWITCHES), st.integers(1, 9), min_size=1)
offers = st.dictionaries(st.sampled_from(_SWITCHES), st.floats(0, 2e10))


def state_of(
    ingress: dict[str, int], bps: int | None, pps: int | None = None, most: int | None = None
) -> PolicyState:
    """A policy that is limited to so much. most: its max_bps, None = as much as bps."""
    policy = Policy("p", None, "web", max_bps=bps if most is None else most, max_pps=pps)
    return PolicyState(policy, "active", "", Reach(ingress, frozenset(), ""), None, bps)


@given(ingresses, limits, st.none() | st.integers(1, 10**6), offers)
@examples(1)
def test_the_parts_are_the_whole(
    ingress: dict[str, int], bps: int, pps: int | None, offered: dict[str, float]
) -> None:
    shares = shares_of(state_of(ingress, bps, pps), offered, {})
    assert shares.keys() == ingress.keys()
    assert sum(share.bps or 0 for share in shares.values()) == bps
    assert all((share.pps is None) == (pps is None) for share in shares.values())
    if pps is not None:
        assert sum(share.pps or 0 for share in shares.values()) == max(pps, len(ingress))


@given(ingresses, limits, offers)
@examples(1)
def test_no_switch_is_left_with_nothing(
    ingress: dict[str, int], bps: int, offered: dict[str, float]
) -> None:
    total = sum(ingress.values())
    for switch, share in shares_of(state_of(ingress, bps), offered, {}).items():
        assert (share.bps or 0) >= 0.049 * bps * ingress[switch] / total


@given(ingresses, limits, limits, offers, offers)
@examples(1)
def test_dividing_again_changes_nothing(
    ingress: dict[str, int],
    bps: int,
    before: int,
    offered: dict[str, float],
    earlier: dict[str, float],
) -> None:
    """Whatever was held: what is decided stays until something else changes."""
    held = shares_of(state_of(ingress, before), earlier, {})
    decided = shares_of(state_of(ingress, bps), offered, held)
    assert shares_of(state_of(ingress, bps), offered, decided) == decided


@given(ingresses, limits, offers, st.floats(0.96, 1.04))
@examples(1)
def test_what_wavers_a_little_changes_nothing(
    ingress: dict[str, int], bps: int, offered: dict[str, float], wavering: float
) -> None:
    held = shares_of(state_of(ingress, bps), offered, {})
    now = {switch: rate * wavering for switch, rate in offered.items()}
    assert shares_of(state_of(ingress, bps), now, held) == held


def test_what_one_switch_leaves_goes_to_another() -> None:
    both = {_SWITCHES[0]: 1, _SWITCHES[1]: 1}
    even = shares_of(state_of(both, 10_000_000), {}, {})
    assert {share.bps for share in even.values()} == {5_000_000}
    offered = {_SWITCHES[0]: 20_000_000.0, _SWITCHES[1]: 800_000.0}
    moved = shares_of(state_of(both, 10_000_000), offered, even)
    assert moved[_SWITCHES[1]].bps == 1_000_000
    assert moved[_SWITCHES[0]].bps == 9_000_000


def test_a_new_limit_counts_at_once_and_keeps_the_parts() -> None:
    held = {
        _SWITCHES[0]: PolicyShare("p", _SWITCHES[0], 9_000_000),
        _SWITCHES[1]: PolicyShare("p", _SWITCHES[1], 1_000_000),
    }
    both = dict.fromkeys(held, 1)
    offered = {_SWITCHES[0]: 20_000_000.0, _SWITCHES[1]: 800_000.0}
    now = shares_of(state_of(both, 10_100_000), offered, held)
    assert [now[switch].bps for switch in held] == [9_090_000, 1_010_000]


def test_the_smallest_change_of_a_limit_counts() -> None:
    both = {_SWITCHES[0]: 1, _SWITCHES[1]: 1}
    held = shares_of(state_of(both, 1_000_000, 100), {}, {})
    now = shares_of(state_of(both, 1_000_001, 101), {}, held)
    assert sum(share.bps or 0 for share in now.values()) == 1_000_001
    assert sum(share.pps or 0 for share in now.values()) == 101


def test_an_allocated_rate_falls_at_once_and_rises_when_it_is_worth_it() -> None:
    one, most = {_SWITCHES[0]: 1}, 100_000_000
    held = {_SWITCHES[0]: PolicyShare("p", _SWITCHES[0], 20_000_000)}
    for allocated, wanted in (
        (20_900_000, 20_000_000),
        (21_100_000, 21_100_000),
        (19_900_000,) * 2,
    ):
        now = shares_of(state_of(one, allocated, most=most), {}, held)
        assert now[_SWITCHES[0]].bps == wanted


def test_what_is_not_limited_has_no_shares() -> None:
    held = {_SWITCHES[0]: PolicyShare("p", _SWITCHES[0], 20_000_000)}
    assert shares_of(state_of({_SWITCHES[0]: 1}, None), {}, held) == {}
    assert shares_of(state_of({}, 5_000_000), {}, held) == {}
