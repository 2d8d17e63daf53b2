"""The interpreter, action by action. Whole pipelines are compared with a switch in tests/switch."""

from __future__ import annotations

import pytest

from openflow.conntrack import NEW, TRK
from openflow.fields import ENDPOINT, IN_PORT_NUMBER, OUT_PORT, Subfield, whole
from openflow.interpreter import Result, Sent, action_set, run
from openflow.packet import Packet, arp, solicitation, tcp, tcp6
from openflow.values import (
    CONTROLLER,
    IN_PORT,
    NORMAL,
    Action,
    ApplyMeter,
    Bucket,
    Ct,
    CtClear,
    Flow,
    Goto,
    Group,
    GroupKind,
    Match,
    Move,
    Output,
    OutputField,
    Resubmit,
    Rules,
    SetField,
    SetQueue,
    ToGroup,
    match,
    set_field,
)

PACKET = tcp(in_port=1, ip_src="10.9.1.1", ip_dst="10.9.1.100", tcp_src=4000, tcp_dst=80)


def flow(table: int, *actions: Action, priority: int = 1, on: Match | None = None) -> Flow:
    """A flow that takes everything unless told otherwise."""
    return Flow(table, priority, on or match(), actions)


def ports(result: Result) -> list[int]:
    return [sent.port for sent in result.outputs]


def sent(*actions: Action, packet: Packet = PACKET) -> Sent:
    """The one packet that these actions send."""
    (only,) = run(Rules((flow(0, *actions),)), packet).outputs
    return only


def test_a_miss_drops_the_packet() -> None:
    result = run(Rules(), PACKET)
    assert (result.outputs, result.steps[0].flow) == ((), None)


def test_the_highest_priority_wins() -> None:
    low = flow(0, Output(2))
    high = flow(0, Output(3), priority=9, on=match(eth_type=0x800, ip_proto=6, tcp_dst=80))
    assert ports(run(Rules((low, high)), PACKET)) == [3]


def test_a_match_on_a_header_takes_only_packets_that_have_it() -> None:
    rules = Rules((flow(0, Output(2), on=match(tcp_dst=0)),))
    assert ports(run(rules, arp(in_port=1))) == []


def test_a_later_flow_with_the_same_key_replaces_the_earlier() -> None:
    assert ports(run(Rules((flow(0, Output(2)), flow(0, Output(3)))), PACKET)) == [3]


def test_writes_move_bits_and_leave_the_rest() -> None:
    target = Subfield("reg1", 16, 8)
    actions = (set_field("reg1", 0xFFFFFFFF), Move(Subfield("ip_src", 0, 8), target), Output(2))
    assert sent(*actions).packet["reg1"] == 0xFF01FFFF


def test_a_write_to_a_header_that_is_not_there_does_nothing() -> None:
    packet = arp(in_port=1)
    assert sent(set_field("ip_dst", 5), Output(2), packet=packet).packet == packet


def test_a_packet_never_returns_by_its_own_port_unless_told_so() -> None:
    assert ports(run(Rules((flow(0, Output(1), Output(2)),)), PACKET)) == [2]
    assert sent(Output(IN_PORT)).port == 1


@pytest.mark.parametrize("nowhere", [set_field("in_port", 0), SetField(IN_PORT_NUMBER, 0xFFFF)])
def test_a_packet_from_nowhere_may_return_by_the_port_it_came_by(nowhere: SetField) -> None:
    rules = Rules((flow(0, nowhere, Output(1), Output(IN_PORT), Output(NORMAL), Output(2)),))
    assert ports(run(rules, PACKET)) == [1, 2]


def test_a_changed_in_port_is_what_later_tables_and_outputs_see() -> None:
    onward = flow(1, Output(3), Output(1), Output(IN_PORT), on=match(in_port=3))
    first = flow(0, set_field("in_port", 3), Ct(5, table=1))
    assert ports(run(Rules((first, onward)), PACKET)) == [1, 3]


def test_a_long_register_is_four_registers() -> None:
    packet = tcp6(in_port=1, ipv6_src="2001:db8::1")
    kept = sent(Move(whole("ipv6_src"), whole("xxreg1")), Output(2), packet=packet).packet
    assert [kept[f"reg{number}"] for number in range(4, 8)] == [0x2001_0DB8, 0, 0, 1]
    assert kept["xxreg1"] == packet["ipv6_src"]


def test_a_solicitation_becomes_an_advertisement() -> None:
    """What is an option of the one is none of the other, until the type has changed."""
    mac = 0x0200_0000_0001
    turned = (Move(whole("eth_src"), whole("nd_tll")), set_field("icmpv6_type", 136))
    asked = solicitation(in_port=1, eth_src=mac, nd_sll=mac, nd_target="2001:db8::100")
    too_early = sent(*turned, Output(2), packet=asked).packet
    assert (too_early["nd_tll"], "nd_sll" in too_early) == (0, False)
    named = sent(*turned[::-1], Output(2), packet=asked).packet
    assert (named["icmpv6_type"], named["nd_tll"]) == (136, mac)


@pytest.mark.parametrize(
    ("value", "expected"),
    [(3, [3]), (1, []), (0, []), (0xFFF8, [1]), (0xFFFA, [NORMAL]), (0xFF05, []), (0x10003, [])],
)
def test_output_to_the_port_in_a_register(value: int, expected: list[int]) -> None:
    actions = (set_field("reg1", value), OutputField(whole("reg1")))
    assert ports(run(Rules((flow(0, *actions),)), PACKET)) == expected


def test_reserved_ports_are_recorded_as_such() -> None:
    assert ports(run(Rules((flow(0, Output(NORMAL), Output(CONTROLLER)),)), PACKET)) == [
        NORMAL,
        CONTROLLER,
    ]


def test_resubmit_returns_with_what_was_written() -> None:
    rules = Rules((flow(0, Resubmit(5), OutputField(OUT_PORT)), flow(5, SetField(OUT_PORT, 7))))
    result = run(rules, PACKET)
    assert ports(result) == [7]
    assert [step.table for step in result.steps] == [0, 5]


def test_goto_goes_on() -> None:
    rules = Rules((flow(0, Output(2), Goto(5)), flow(5, Output(3))))
    assert ports(run(rules, PACKET)) == [2, 3]


def test_queue_and_meters_stay_with_the_packet() -> None:
    rules = Rules((flow(0, ApplyMeter(4), SetQueue(3), Goto(1)), flow(1, Output(2))))
    (only,) = run(rules, PACKET).outputs
    assert (only.queue, only.meters) == (3, (4,))


def test_a_meter_may_drop() -> None:
    rules = Rules((flow(0, Output(2), Goto(1)), flow(1, ApplyMeter(4), Output(3))))
    assert ports(run(rules, PACKET, meter_passes=lambda _meter, _packet: False)) == [2]


# ------------------------------------------------------------------------------------------ groups


def grouped(kind: GroupKind, *buckets: Bucket, then: tuple[Action, ...] = ()) -> Rules:
    """A group, applied to everything."""
    return Rules((flow(0, ToGroup(1), *then),), (Group(1, kind, buckets),))


def test_a_group_gives_the_packet_back_as_it_was() -> None:
    bucket = Bucket((SetField(ENDPOINT, 5), SetQueue(3), Output(2)))
    rules = grouped("indirect", bucket, then=(Output(3),))
    inside, outside = run(rules, PACKET).outputs
    assert (inside.packet["reg0"], inside.queue) == (5, 3)
    assert (outside.packet, outside.queue) == (PACKET, 0)


def test_select_runs_the_bucket_chosen() -> None:
    rules = grouped("select", *(Bucket((Output(port),)) for port in (2, 3, 4)))
    result = run(rules, PACKET, choose=lambda _group, _packet: 1)
    assert ports(result) == [3]
    assert [(choice.step, choice.group_id, choice.bucket) for choice in result.choices] == [
        (0, 1, 1)
    ]
    assert ports(run(rules, PACKET)) == ports(run(rules, PACKET))


def test_select_passes_over_dead_buckets_and_those_without_weight() -> None:
    buckets = (
        Bucket((Output(2),), weight=0),
        Bucket((Output(3),), watch_port=3),
        Bucket((Output(4),)),
    )
    rules = grouped("select", *buckets)
    first = lambda _group, _packet: 0  # noqa: E731
    assert ports(run(rules, PACKET, choose=first, is_live=(3,).__contains__)) == [3]
    assert ports(run(rules, PACKET, choose=first, is_live=().__contains__)) == [4]


def test_all_runs_every_bucket() -> None:
    rules = grouped("all", Bucket((Output(2),)), Bucket((Output(1),)), Bucket((Output(3),)))
    assert ports(run(rules, PACKET)) == [2, 3]


def test_fast_failover_runs_the_first_live_bucket() -> None:
    buckets = (Bucket((Output(2),), watch_port=2), Bucket((Output(3),), watch_port=3))
    rules = grouped("ff", *buckets)
    assert ports(run(rules, PACKET)) == [2]
    assert ports(run(rules, PACKET, is_live=(3,).__contains__)) == [3]
    assert ports(run(rules, PACKET, is_live=().__contains__)) == []


def test_of_a_bucket_only_one_action_sends() -> None:
    """The trap of facts/datapath.md: a bucket with ct and output silently never commits."""
    commit = Ct(5, commit=True)
    assert action_set(Bucket((commit, Output(2)))) == (Output(2),)
    assert action_set(Bucket((commit, Resubmit(4)))) == (Resubmit(4),)
    assert action_set(Bucket((CtClear(), commit))) == (CtClear(),)
    assert action_set(Bucket((Output(2), ToGroup(4)))) == (ToGroup(4),)
    assert action_set(Bucket((Output(2), SetField(ENDPOINT, 1), Output(3)))) == (
        SetField(ENDPOINT, 1),
        Output(3),
    )
    assert action_set(Bucket((SetField(ENDPOINT, 1), OutputField(OUT_PORT)))) == ()
    rules = grouped("select", Bucket((commit, Output(2))))
    assert run(rules, PACKET).conntrack.connections == {}


def test_a_missing_group_is_an_error() -> None:
    result = run(Rules((flow(0, Output(2), ToGroup(9)),)), PACKET)
    assert (result.errors, result.outputs) == (("no group 9",), ())


# --------------------------------------------------------------------------------------- conntrack


def test_conntrack_sends_a_copy_back_and_the_original_goes_on_untracked() -> None:
    rules = Rules((flow(0, Ct(5, table=1), Output(2)), flow(1, SetField(ENDPOINT, 3), Output(3))))
    result = run(rules, PACKET)
    copy, original = result.outputs
    assert (copy.fork, copy.packet["ct_state"], copy.packet["reg0"]) == ((0,), TRK | NEW, 3)
    assert (original.fork, original.packet) == ((), PACKET)
    assert [step.fork for step in result.steps] == [(), (0,)]


def test_without_a_table_nothing_comes_back() -> None:
    result = run(Rules((flow(0, Ct(5, commit=True), Output(2)),)), PACKET)
    assert result.outputs[0].packet["ct_state"] == 0
    assert len(result.conntrack.connections) == 2


def test_ct_clear() -> None:
    rules = Rules((flow(0, Ct(5, table=1)), flow(1, CtClear(), Output(2))))
    assert run(rules, PACKET).outputs[0].packet["ct_state"] == 0


# ------------------------------------------------------------------------------------------ limits


def test_endless_nesting_is_an_error_and_sends_nothing() -> None:
    result = run(Rules((flow(0, Output(2), Resubmit(0)),)), PACKET)
    assert "deeper than 64" in result.errors[0]
    assert result.outputs == ()


def test_too_many_lookups_are_an_error() -> None:
    flows = [flow(table, Resubmit(table + 1), Resubmit(table + 1)) for table in range(13)]
    assert "more than 4096" in run(Rules(tuple(flows)), PACKET).errors[0]


def test_endless_passes_through_conntrack_are_an_error() -> None:
    result = run(Rules((flow(0, Ct(5, table=0)),)), PACKET)
    assert "through conntrack" in result.errors[0]


def test_a_long_chain_of_tables_is_none() -> None:
    flows = [flow(table, Goto(table + 1)) for table in range(253)] + [flow(253, Output(2))]
    result = run(Rules(tuple(flows)), PACKET)
    assert (ports(result), result.errors) == ([2], ())
