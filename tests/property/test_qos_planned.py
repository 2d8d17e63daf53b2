"""Planned rates on random fabrics: what is in force of them fits every link, beside what policies
are guaranteed of their own."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import Final

from hypothesis import given
from hypothesis import strategies as st

from nib.mirror import Lookups, Mirror, RowChange
from nib.plans import RatePlan
from nib.prewarm import Override
from nib.qos import Policy
from nib.records import RECORD_CLASSES
from qos.in_force import in_force, policies_in_force
from ryu_apps.provision import provision, reach, reservations, reservations_in_force
from ryu_apps.rating import Rating, admit
from tests.fabric_model import mirror_of
from tests.nib_strategies import examples
from tests.property.worlds import World, happened, overfull, worlds

M: Final = 1_000_000
NOW: Final = 1_000_000
_UNTIL: Final = 2 * NOW

rates = st.sampled_from((None, None, M, 15 * M, 45 * M, 80 * M, 3_000 * M))
amounts = st.tuples(rates, rates)


def plan(policy: str, amount: tuple[int | None, int | None]) -> RatePlan:
    most, sure = amount
    return RatePlan(policy, 0, _UNTIL, "forecast", most, sure)


def override(policy: str, amount: tuple[int | None, int | None]) -> Override:
    most, sure = amount
    least = None if most is None or sure is None else min(most, sure)
    if most is None and sure is None:
        most = M
    return Override("policy", policy, _UNTIL, None, most, sure if least is None else least)


@st.composite
def asked(draw: st.DrawFn, view: Lookups) -> list[RatePlan | Override]:
    """Plans and overrides of the policies there are, and of one that is not."""
    names = [*sorted(each.name for each in view.all(Policy)), "gone"]
    rows: list[RatePlan | Override] = []
    for name in names:
        if draw(st.integers(0, 3)):
            rows.append(plan(name, draw(amounts)))
        if not draw(st.integers(0, 4)):
            rows.append(override(name, draw(amounts)))
    return rows


def decided(view: Mirror, rows: Iterable[RatePlan | Override]) -> Rating:
    """The leader, with these rows."""
    rating = Rating(view)
    for row in rows:
        change = RowChange(None, row)
        view.apply(change)
        rating.mark(change, NOW)
    for policy in view.all(Policy):
        rating.mark(RowChange(None, policy), NOW)
    rating.settle(NOW)
    return rating


def with_rates_in_force(view: Lookups) -> Mirror:
    """The same database, but what is in force is what policies say themselves."""
    rows = [row for kind in RECORD_CLASSES for row in view.all(kind) if kind is not Policy]
    return mirror_of([*rows, *policies_in_force(view).values()], is_dealt=False)


@given(worlds(with_topology=False), st.data())
@examples(0.5)
def test_rates_in_force_fit_wherever_own_guarantees_do(world: World, data: st.DataObject) -> None:
    *_, view = happened(world)
    too_full = set(overfull(world, view))
    decided(view, data.draw(asked(view)))
    assert set(overfull(world, with_rates_in_force(view))) <= too_full


@given(worlds(with_topology=True), st.data())
@examples(0.5)
def test_no_class_lacks_more_of_a_link_than_it_does_by_intent(
    world: World, data: st.DataObject
) -> None:
    *_, view = happened(world)
    before = dict(reservations(view))
    decided(view, data.draw(asked(view)))
    for key, link in reservations_in_force(view).items():
        for name in link.guaranteed:
            assert link.spare(name) >= min(0, before[key].spare(name)), (key, name)
    assert reservations(view) == before, "intent is admitted as if there were no plan"
    changed = with_rates_in_force(view)
    assert reservations(changed) == reservations_in_force(view)
    assert provision(changed).policies == provision(view).policies


@given(worlds(with_topology=True), st.data())
@examples(0.5)
def test_a_rate_is_cut_only_where_a_link_is_full_or_its_own_limit_says_so(
    world: World, data: st.DataObject
) -> None:
    """Within a step of what meters know, where one class alone asks for more."""
    *_, view = happened(world)
    for policy in view.all(Policy):
        view.apply(RowChange(policy, replace(policy, qos_class="interactive")))
    decided(view, data.draw(asked(view)))
    links = reservations_in_force(view)
    for policy in view.all(Policy):
        row = view.get(RatePlan, policy.name), view.get(Override, ("policy", policy.name))
        rate, got = in_force(policy, *row, NOW), policies_in_force(view)[policy.name]
        wanted = policy.guaranteed_bps if rate is None else rate.guaranteed_bps
        if wanted is not None and (got.guaranteed_bps or 0) < wanted:
            spare = min(links[key].spare("interactive") for key in reach(policy, view).links)
            assert spare < 4 * 1000


@given(worlds(with_topology=False), st.data())
@examples(0.5)
def test_what_is_admitted_for_a_plan_is_in_force_when_it_begins(
    world: World, data: st.DataObject
) -> None:
    *_, view = happened(world)
    wanted = {each.name: data.draw(amounts) for each in view.all(Policy)}
    given_rates = admit(view, wanted)
    assert given_rates.keys() == wanted.keys()
    for name, (most, sure, refused) in given_rates.items():
        assert bool(refused) == ((most, sure) != wanted[name]), (name, wanted[name])
    decided(view, [plan(name, (most, sure)) for name, (most, sure, _) in given_rates.items()])
    again = admit(view, {name: (most, sure) for name, (most, sure, _) in given_rates.items()})
    assert [refused for *_, refused in again.values() if refused] == []
    for name, (most, sure, _) in given_rates.items():
        policy, got = view.need(Policy, name), policies_in_force(view)[name]
        assert got.guaranteed_bps == (policy.guaranteed_bps if sure is None else sure)
        assert got.max_bps == (policy.max_bps if most is None else most)
