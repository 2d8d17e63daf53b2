"""What holds of every run: lookups, order of tables, and that nothing given is changed."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from openflow.conntrack import Conntrack, track
from openflow.fields import CT_STATE_BITS
from openflow.index import Index
from openflow.interpreter import choose_by_hash, run
from openflow.packet import Packet, tcp
from openflow.values import Bucket, Ct, Flow, Group, Output, Rules
from tests.nib_strategies import examples
from tests.strategies import LAST_TABLE, kinds, matches, packets
from tests.switch.random_pipelines import Maker


@st.composite
def crowded_tables(draw: st.DrawFn) -> tuple[Flow, ...]:
    """Flows of one table, few priorities, matches that are likely to meet packets."""
    count = draw(st.integers(0, 12))
    return tuple(
        Flow(0, draw(st.integers(0, 3)), draw(matches(draw(kinds))), (Output(place + 1),))
        for place in range(count)
    )


def naive(flows: tuple[Flow, ...], packet: Packet) -> Flow | None:
    """The flow that takes a packet, found by trying all of them."""
    held = {flow.key: flow for flow in flows}.values()
    taking = [flow for flow in held if packet.satisfies(flow.match)]
    return max(taking, key=lambda flow: flow.priority, default=None)


@given(flows=crowded_tables(), packet=packets())
@examples(0.5)
def test_a_lookup_finds_what_trying_every_flow_finds(
    flows: tuple[Flow, ...], packet: Packet
) -> None:
    assert Index(Rules(flows)).find(0, packet) == naive(flows, packet)


@given(seed=st.integers(0, 2**32))
@examples(0.5)
def test_lookups_in_random_pipelines(seed: int) -> None:
    maker = Maker(seed)
    rules, packet = maker.rules(), maker.packet()
    for step in run(rules, packet).steps:
        flows = tuple(flow for flow in rules.flows if flow.table == step.table)
        assert step.flow == naive(flows, step.packet)


@given(seed=st.integers(0, 2**32))
@examples(0.5)
def test_a_pipeline_that_only_goes_on_never_returns_and_never_errs(seed: int) -> None:
    """Within one call chain; two resubmits may of course reach the same table one after another."""
    maker = Maker(seed)
    rules, packet = maker.rules(), maker.packet()
    result = run(rules, packet)
    assert result.errors == ()
    assert result.steps[0].table == 0
    entered = {step.fork: step.table for step in reversed(result.steps)}
    for fork, table in entered.items():
        if fork:
            assert table > entered[fork[:-1]]


@given(seed=st.integers(0, 2**32))
@examples(0.5)
def test_a_run_depends_on_nothing_but_what_it_is_given(seed: int) -> None:
    maker = Maker(seed)
    index = Index(maker.rules())
    conntrack = Conntrack()
    for _ in range(5):
        packet = maker.packet()
        before = dict(conntrack.connections)
        result = run(index, packet, conntrack)
        assert run(index, packet, conntrack) == result
        assert conntrack.connections == before
        conntrack = result.conntrack


@given(packet=packets(), zone=st.integers(0, 65535), table=st.integers(0, LAST_TABLE))
def test_a_committed_connection_is_found_in_both_directions(
    packet: Packet, zone: int, table: int
) -> None:
    conntrack, tracked = track(Conntrack(), packet, Ct(zone, table=table, commit=True))
    assert tracked["ct_state"] & CT_STATE_BITS["trk"]
    assert tracked["ct_zone"] == zone
    for key, connection in conntrack.connections.items():
        assert conntrack.find(key.turned) == connection


@given(source=st.integers(0, 2**32 - 1), port=st.integers(1, 65535), count=st.integers(1, 256))
def test_both_directions_choose_the_same_bucket(source: int, port: int, count: int) -> None:
    group = Group(1, "select", tuple(Bucket((Output(1),)) for _ in range(count)))
    forth = tcp(ip_src=source, ip_dst="10.9.1.100", tcp_src=port, tcp_dst=80)
    back = tcp(ip_src="10.9.1.100", ip_dst=source, tcp_src=80, tcp_dst=port)
    assert choose_by_hash(group, forth) == choose_by_hash(group, back) < count
