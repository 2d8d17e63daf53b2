"""Guarantees on random fabrics: what is admitted fits every link, and what is refused does not."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import Final

from hypothesis import given

from nib.draft import Draft
from nib.errors import FieldError
from nib.mirror import Mirror
from nib.qos import MIN_RATE_BPS, LinkRate, Policy, QosClass
from nib.records import RECORD_CLASSES
from qos.admission import check
from qos.provision import LinkKey, LinkState, Provision
from ryu_apps.provision import provision, reservations
from tests.fabric_model import mirror_of
from tests.nib_strategies import examples
from tests.property.worlds import World, happened, intent, made, overfull, worlds

CLOSE: Final = 1e-9  # part of a rate, for sums of floats

Change = Callable[[Draft], Policy | QosClass | LinkRate]


def admitted(view: Mirror, change: Change) -> FieldError | None:
    """Make a change with admission; what it was refused for, and then it is not made."""
    refusals = []

    def checked(draft: Draft) -> None:
        before = reservations(draft)
        changed = change(draft)
        try:
            check(before, reservations(draft), changed, draft)
        except FieldError as error:
            refusals.append(error)
            raise

    made(view, checked)
    return refusals[0] if refusals else None


@given(worlds(with_topology=False))
@examples(0.5)
def test_what_is_admitted_fits_and_what_is_refused_does_not(world: World) -> None:
    view = mirror_of(world.rows, is_dealt=False)
    for given_change in world.changes:
        refused = admitted(view, partial(intent, given_change))
        assert overfull(world, view) == [], (given_change, refused)
        if refused is not None:
            draft = Draft(view)
            intent(given_change, draft)
            assert overfull(world, draft), (given_change, refused)
            draft.roll_back(0)


@given(worlds(with_topology=True))
@examples(0.5)
def test_what_asks_for_less_is_never_refused(world: World) -> None:
    """However short links are."""
    *_, view = happened(world)
    for policy in sorted(view.all(Policy), key=lambda each: each.name):
        half = None if policy.guaranteed_bps is None else policy.guaranteed_bps // 2
        less = replace(policy, guaranteed_bps=half, burst_ms=77)
        assert admitted(view, partial(_put, less)) is None
        assert view.need(Policy, policy.name).burst_ms == 77
    for policy in view.all(Policy):
        assert admitted(view, partial(intent, ("no policy", policy.name))) is None


def _put(policy: Policy, draft: Draft) -> Policy:
    return draft.put(policy)


@given(worlds(with_topology=True))
@examples(0.5)
def test_provision_step_by_step_is_provision_at_once(world: World) -> None:
    for view in happened(world):
        rows = (row for kind in RECORD_CLASSES for row in view.all(kind))
        assert provision(view) == provision(mirror_of(rows, is_dealt=False))


@given(worlds(with_topology=True))
@examples(0.5)
def test_shares_keep_guarantees_limits_and_links(world: World) -> None:
    for view in happened(world):
        found = provision(view)
        carried: dict[LinkKey, float] = dict.fromkeys(found.links, 0.0)
        for state in found.policies.values():
            policy, share = state.policy, state.allocated_bps
            if share is None:
                continue
            assert share <= (policy.max_bps or share) * (1 + CLOSE)
            if state.state == "active":
                assert share >= (policy.guaranteed_bps or 0) * (1 - CLOSE)
            for key in state.reach.links:
                carried[key] += share
        for key, sum_ in carried.items():
            rate = found.links[key].rate_bps
            assert not rate or sum_ <= rate * (1 + CLOSE), key


@given(worlds(with_topology=True))
@examples(0.5)
def test_beside_a_guarantee_comes_in_only_what_the_queue_is_sure_to_take(world: World) -> None:
    for view in happened(world):
        found = provision(view)
        for link in found.links.values():
            assert sum(link.assurances().values()) <= link.rate_bps
            for name in link.guaranteed if link.rate_bps else ():
                _check_queue(link, name, found)


def _check_queue(link: LinkState, of_class: str, found: Provision) -> None:
    sharing = [
        state
        for state in found.policies.values()
        if link.key in state.reach.links and state.policy.qos_class == of_class
    ]
    guarantors = [state for state in sharing if state.policy.guaranteed_bps]
    beside = [state for state in sharing if guarantors != [state]]
    let_in = [state.metered_bps for state in beside if state.metered_bps is not None]
    assert len(let_in) == len(beside), "something is not metered"
    assert sum(let_in) <= link.assured(of_class) + MIN_RATE_BPS * len(let_in)
