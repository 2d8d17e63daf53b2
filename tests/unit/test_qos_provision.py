"""What links are promised for and what policies get: from rows of a small leaf-spine network."""

from __future__ import annotations

from dataclasses import replace

import pytest

from gateway_lb.health import health_iface
from nib.intent import Container, Service
from nib.mirror import Mirror, RowChange
from nib.qos import LinkRate, Policy, QosClass
from nib.records import Record
from nib.topology import Link, Port
from openflow.values import LOCAL
from qos.provision import LinkKey, LinkState
from ryu_apps.provision import provision, reach, reservations
from tests.fabric_model import containers, infrastructure, mirror_of
from topologies.shapes import leaf_spine
from topologies.spec import interface_name

M = 1_000_000
SPEC = leaf_spine(2, 3)  # c1, c2 on leaf1; c3, c4 on leaf2; c5, c6 on leaf3; a client on leaf1
BUY, SQL = Service("buy", "10.9.0.1", 80, number=1), Service("sql", "10.9.0.2", 80, number=2)
ROWS: list[Record] = [
    *(replace(r, speed_bps=100 * M) if isinstance(r, Port) else r for r in infrastructure(SPEC)),
    *(BUY, SQL),
    *containers(SPEC, BUY, ["c1"], 100),
    *containers(SPEC, SQL, ["c3", "c4"], 200),
]


def dpid(name: str) -> str:
    return SPEC.switch(name).dpid_hex16


def leaving(name: str, number: int) -> LinkKey:
    return dpid(name), interface_name(name, number)


# Port S of a leaf leads to spine S, port L of a spine to leaf L.
TO_SPINES = {leaving("leaf1", 1), leaving("leaf1", 2)}
TO_LEAF2 = {leaving("spine1", 2), leaving("spine2", 2)}
CONTAINERS = {SPEC.port_of("c3"), SPEC.port_of("c4")}
PAIR = Policy("p", "buy", "sql", "interactive", 30 * M)


def view_of(*rows: Record) -> Mirror:
    return mirror_of([*ROWS, *rows], is_dealt=False)


def put(view: Mirror, row: Record) -> None:
    view.apply(RowChange(view.get(type(row), row.key), row))


def delete(view: Mirror, row: Record) -> None:
    view.apply(RowChange(row, None))


# ------------------------------------------------------------------------------- reaches


def test_a_pair_may_take_every_shortest_path() -> None:
    found = reach(PAIR, view_of())
    assert found.ingress == {dpid("leaf1"): 1}
    assert found.links == TO_SPINES | TO_LEAF2 | CONTAINERS
    assert found.waiting == ""


def test_clients_come_in_by_every_switch_with_an_edge_port_that_is_up() -> None:
    found = reach(Policy("p", None, "sql"), view_of())
    assert found.ingress == {dpid(f"leaf{number}"): 1 for number in (1, 2, 3)}
    assert found.links > TO_SPINES | TO_LEAF2 | CONTAINERS
    assert leaving("leaf2", 1) not in found.links


def test_what_only_the_switch_itself_uses_is_no_edge() -> None:
    spine = dpid("spine1")
    own = Port(spine, "spine1", LOCAL, "02:00:00:00:00:01", up=True)
    health = Port(spine, "h", 9, "02:00:00:00:00:02", health_iface(spine), up=True)
    down = Port(spine, "x", 10, "02:00:00:00:00:03")
    clients = Policy("p", None, "sql")
    assert spine not in reach(clients, view_of(own, health, down)).ingress
    assert spine in reach(clients, view_of(replace(down, up=True))).ingress


def test_sources_are_counted_by_switch() -> None:
    assert reach(Policy("p", "sql", None), view_of()).ingress == {dpid("leaf2"): 2}
    assert reach(Policy("p", "sql", None), view_of()).links == frozenset()


def test_within_a_switch_only_the_port_of_the_container_is_taken() -> None:
    view = view_of(*containers(SPEC, Service("c", "10.9.0.3", 80), ["c2"], 300))
    assert reach(Policy("p", "buy", "c"), view).links == {SPEC.port_of("c2")}


@pytest.mark.parametrize(
    ("policy", "why"),
    [
        (Policy("p", "buy", "gone"), "there is no service gone"),
        (Policy("p", "gone", "sql"), "there is no service gone"),
        (Policy("p", "new", None), "service new has no container"),
        (Policy("p", "buy", "far"), "no switch has a port with a container of service far"),
    ],
)
def test_what_has_no_place_yet_waits_and_says_for_what(policy: Policy, why: str) -> None:
    far = Container("far", "c", "10.0.7.7", 80, "02:00:00:00:07:07", iface_id="none")
    services = Service("new", "10.9.0.8", 80), Service("far", "10.9.0.9", 80)
    state = provision(view_of(*services, far, policy)).policies["p"]
    assert (state.state, state.reason) == ("waiting", why)
    assert state.reach.links == frozenset()


def test_without_a_way_it_waits_too() -> None:
    view = view_of(PAIR)
    for link in view.all(Link):
        if link.switch == dpid("leaf2"):
            delete(view, link)
    state = provision(view).policies["p"]
    assert (state.state, state.reason) == ("waiting", "no way leads to service sql")


def test_a_move_changes_only_what_it_concerns() -> None:
    other = Policy("other", None, "buy", "bulk")
    view = view_of(PAIR, other)
    before = provision(view)
    moved = replace(view.containers_of("sql")[0], iface_id="c5")
    put(view, moved)
    after = provision(view)
    assert SPEC.port_of("c5") in after.policies["p"].reach.links
    assert after.policies["other"].reach.links is before.policies["other"].reach.links


def test_rows_that_change_nothing_leave_the_same_provision() -> None:
    view = view_of(PAIR)
    before = provision(view)
    put(view, replace(view.containers_of("sql")[0], lease_until_ms=77))
    assert provision(view) is before


# ------------------------------------------------------------------------------- links


def test_guarantees_are_reserved_whole_on_every_link() -> None:
    links = reservations(view_of(PAIR, Policy("q", None, "sql", "realtime", 10 * M)))
    for key in TO_SPINES | TO_LEAF2 | CONTAINERS:
        assert links[key].guaranteed == {"interactive": 30 * M, "realtime": 10 * M}
    assert links[leaving("spine1", 1)].guaranteed == {}


def test_an_operators_word_counts_more_than_the_port() -> None:
    key = leaving("leaf1", 1)
    links = reservations(view_of(LinkRate(*key, 7 * M), LinkRate(dpid("leaf1"), "none", 5 * M)))
    assert (links[key].rate_bps, links[key].stated) == (7 * M, True)
    assert links[dpid("leaf1"), "none"].rate_bps == 5 * M
    other = links[leaving("leaf1", 2)]
    assert (other.rate_bps, other.stated) == (100 * M, False)


def link_of(rate: int = 100 * M, **guaranteed: int) -> LinkState:
    return LinkState(("0" * 15 + "1", "p"), rate, stated=True, guaranteed=guaranteed)


def test_a_class_has_its_guarantees_or_its_part_and_what_others_leave_is_free() -> None:
    link = link_of(interactive=40 * M)
    assert [link.minimum(each) for each in ("realtime", "interactive", "default", "bulk")] == [
        10 * M,
        40 * M,
        20 * M,
        5 * M,
    ]
    assert link.free("interactive") == 25 * M  # 100 - 10 - 20 - 5 - 40
    assert link.free("realtime") == 35 * M  # 100 - 40 - 20 - 5
    assert (link.guaranteed_bps, link.free_bps) == (40 * M, 25 * M)


def test_no_class_guarantees_more_than_its_maximum() -> None:
    link = link_of(realtime=50 * M)
    assert (link.most("realtime"), link.free("realtime")) == (50 * M, 0)
    assert link_of(realtime=55 * M).spare("realtime") == -5 * M


def test_a_class_whose_guarantees_are_shared_is_sure_of_its_part_of_what_is_nobodys() -> None:
    """By weight: 4 of 11 of what is left."""
    alone = link_of(interactive=40 * M)
    assert alone.assurances() == {
        "default": 20 * M,
        "bulk": 5 * M,
        "interactive": 40 * M,
        "realtime": 10 * M,
    }
    shared = replace(alone, shared=frozenset(("interactive",)))
    assert shared.assurances() == alone.assurances() | {"interactive": 40 * M + 25 * M * 4 // 11}


def test_where_minima_do_not_fit_all_are_cut() -> None:
    short = link_of(50 * M, interactive=40 * M, realtime=20 * M)
    assert short.spare("interactive") < 0
    assert sum(short.assurances().values()) <= 50 * M
    assert 0 < short.assured("interactive") < 40 * M


def test_of_an_unknown_rate_nothing_is_sure() -> None:
    unknown = link_of(0, interactive=M)
    assert (unknown.spare("interactive"), unknown.free("interactive")) == (-M, 0)
    assert set(unknown.assurances().values()) == {0}


# ------------------------------------------------------------------------------- what policies get


def test_a_guarantee_by_itself_needs_no_meter() -> None:
    state = provision(view_of(PAIR)).policies["p"]
    assert (state.state, state.reason, state.metered_bps) == ("active", "", None)
    assert state.allocated_bps == pytest.approx(100 * M)


def test_beside_a_guarantee_of_its_class_a_policy_is_held_to_its_share() -> None:
    greedy = Policy("q", None, "sql", "interactive")
    found = provision(view_of(PAIR, greedy)).policies
    assert found["p"].metered_bps is None
    assert found["q"].metered_bps == 6_363_636  # half of 4 in 11 of the 35M that are nobody's
    assert found["q"].reason == "at most 6.364M beside the guarantees of its class"


def test_another_class_is_not_held() -> None:
    found = provision(view_of(PAIR, Policy("q", None, "sql", "bulk"))).policies
    assert found["q"].metered_bps is None


def test_a_limit_stays_a_limit() -> None:
    limited = Policy("q", None, "sql", "interactive", max_bps=5 * M)
    found = provision(view_of(PAIR, limited)).policies["q"]
    assert (found.metered_bps, found.reason) == (5 * M, "")
    alone = provision(view_of(Policy("r", "sql", None, "bulk", max_bps=3 * M))).policies["r"]
    assert (alone.metered_bps, alone.allocated_bps) == (3 * M, 3 * M)
    unlimited = provision(view_of(Policy("r", "sql", None, "bulk"))).policies["r"]
    assert (unlimited.metered_bps, unlimited.allocated_bps) == (None, None)


def test_what_a_link_cannot_carry_any_more_is_short_and_says_where() -> None:
    view = view_of(PAIR, LinkRate(*leaving("leaf1", 2), 40 * M))
    state = provision(view).policies["p"]
    assert (state.state, state.reason) == (
        "short",
        "leaf1 pw-leaf1-eth2 (40M: class interactive has 30M guaranteed, 14M are kept for other"
        " classes) lacks 4M",
    )
    assert state.allocated_bps == pytest.approx(30 * M * 40 / 44, rel=1e-6)
    put(view, LinkRate(*leaving("leaf1", 2), 50 * M))
    assert provision(view).policies["p"].state == "active"


def test_a_rate_that_nobody_knows_any_more_makes_a_guarantee_short() -> None:
    view = view_of(PAIR)
    put(view, replace(view.need(Port, leaving("leaf1", 1)), speed_bps=0))
    state = provision(view).policies["p"]
    assert state.state == "short"
    assert state.reason == "nobody knows the rate of leaf1 pw-leaf1-eth1: state it"


def test_classes_as_operators_wrote_them_count() -> None:
    view = view_of(PAIR, QosClass("bulk", 1, 1, 3, min_percent=15))
    assert provision(view).links[leaving("leaf1", 1)].free("interactive") == 25 * M
