"""The text form: what people read, what switches print, and what is refused."""

from __future__ import annotations

import pytest

from openflow import tables
from openflow.fields import CT_MARK, ENDPOINT, OUT_PORT, whole
from openflow.packet import ACK, SYN, packet_text, parse_packet, tcp, udp
from openflow.parse import parse_flow, parse_group, parse_match, parse_meter, parse_rules
from openflow.parse_actions import parse_actions
from openflow.text import flow_text, group_text, match_text, meter_text, rules_text
from openflow.values import (
    CONTROLLER,
    IN_PORT,
    Bucket,
    Ct,
    Flow,
    Goto,
    Group,
    Meter,
    Move,
    Nat,
    Output,
    OutputField,
    Resubmit,
    Rules,
    SetField,
    ToGroup,
    match,
    set_field,
)

WEB = match(eth_type=0x800, ip_proto=6, ip_dst="10.9.1.100", tcp_dst=80)
CHOICE = Flow(
    tables.SERVICE.number,
    100,
    match(eth_type=0x800, ip_proto=6, ip_dst="10.9.1.100", tcp_dst=80, ct_state="+new+trk"),
    (SetField(ENDPOINT, 17), Goto(tables.ENDPOINT.number)),
    origin="web: 10.9.1.100:80",
)


def test_people_read_names() -> None:
    assert flow_text(CHOICE) == (
        "table=service, priority=100, ct_state=+new+trk,tcp,nw_dst=10.9.1.100,tp_dst=80, "
        "actions=set_field:17->endpoint,goto_table:endpoint # web: 10.9.1.100:80"
    )


def test_a_switch_reads_numbers() -> None:
    assert flow_text(CHOICE, "ovs") == (
        "table=30, priority=100, ct_state=+new+trk,tcp,nw_dst=10.9.1.100,tp_dst=80, "
        "actions=set_field:0x11->reg0,goto_table:50"
    )


def test_registers_have_their_names_in_matches_moves_and_outputs() -> None:
    flow = Flow(
        tables.OUTPUT.number,
        5,
        match(reg0=17, reg1=(3, 0xFFFF), reg9=(3, 0xFF)),
        (Move(CT_MARK, ENDPOINT), SetField(OUT_PORT, 3), OutputField(OUT_PORT)),
    )
    assert flow_text(flow) == (
        "table=output, priority=5, endpoint=17,out_port=3,reg9=0x3/0xff, "
        "actions=move:ct_mark->endpoint,set_field:3->out_port,output:out_port"
    )
    assert flow_text(flow, "ovs") == (
        "table=100, priority=5, reg0=0x11,reg1=0x3/0xffff,reg9=0x3/0xff, actions="
        "move:NXM_NX_CT_MARK[]->NXM_NX_REG0[],load:0x3->NXM_NX_REG1[0..15],"
        "output:NXM_NX_REG1[0..15]"
    )


def test_lines_stand_in_the_order_of_the_pipeline() -> None:
    flows = (
        Flow(tables.OUTPUT.number, 1, match(), ()),
        Flow(tables.ARP.number, 1, match(), ()),
        Flow(tables.ARP.number, 100, WEB, ()),
    )
    rules = Rules(flows, (Group(1, "all", ()),), (Meter(1, 8, 8),))
    assert [line.partition(" ")[0] for line in rules_text(rules).splitlines()] == [
        "group_id=1,type=all",
        "meter=1,kbps,burst,band=type=drop,rate=8,burst_size=8",
        "table=arp,",
        "table=arp,",
        "table=output,",
    ]
    assert "priority=100" in rules_text(rules).splitlines()[2]
    assert parse_rules("# a comment\n\n" + rules_text(rules)) == Rules(
        (flows[2], flows[1], flows[0]), rules.groups, rules.meters
    )


def test_a_dumped_flow_with_statistics() -> None:
    line = (
        " cookie=0x7000000000000001, duration=0.429s, table=20, n_packets=3, n_bytes=180, "
        "idle_timeout=30, idle_age=4, priority=60,tcp,nw_dst=10.9.1.100,tp_dst=80 "
        "actions=ct(commit,table=30,zone=5,nat(dst=1.2.3.4:80),"
        "exec(load:0x1->NXM_NX_CT_MARK[0..3])),resubmit(,40),CONTROLLER:65535,IN_PORT"
    )
    remember = SetField(whole("ct_mark"), 1)
    flow = parse_flow(line)
    assert flow.key == (20, 60, WEB)
    assert (flow.cookie, flow.idle_timeout) == (0x7000000000000001, 30)
    nat = Nat("dst", 0x01020304, 80)
    ct = flow.actions[0]
    assert isinstance(ct, Ct)
    assert (ct.zone, ct.table, ct.commit, ct.nat) == (5, 30, True, nat)
    assert ct.exec[0] != remember  # four bits only
    assert flow.actions[1:] == (Resubmit(40), Output(CONTROLLER), Output(IN_PORT))


def test_a_flow_without_table_and_priority() -> None:
    assert parse_flow("ip actions=drop") == Flow(0, 32768, match(eth_type=0x800), ())


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("tcp6", match(eth_type=0x86DD, ip_proto=6)),
        ("dl_type=0x0800,nw_proto=17,udp_dst=53", match(eth_type=0x800, ip_proto=17, udp_dst=53)),
        ("ip,nw_src=10.0.0.0/8", match(eth_type=0x800, ip_src=(0x0A000000, 0xFF000000))),
        ("ip,nw_dst=10.0.0.1/255.0.0.255", match(eth_type=0x800, ip_dst=(0x0A000001, 0xFF0000FF))),
        ("ip,nw_tos=184", match(eth_type=0x800, ip_dscp=46)),
        ("tcp,tcp_flags=+syn-ack", match(eth_type=0x800, ip_proto=6, tcp_flags=(SYN, SYN | ACK))),
        ("ct_state=new|trk", match(ct_state=(0x21, 0xFF))),
        ("in_port=LOCAL", match(in_port=0xFFFFFFFE)),
        ("", match()),
    ],
)
def test_matches_as_switches_write_them(text: str, expected: object) -> None:
    assert parse_match(text) == expected


def test_a_transport_port_without_its_protocol_keeps_its_own_name() -> None:
    assert match_text(match(tcp_dst=80)) == "tcp_dst=80"
    assert parse_match("tcp_dst=80") == match(tcp_dst=80)


@pytest.mark.parametrize(
    ("text", "word"),
    [
        ("table=nowhere actions=drop", "nowhere"),
        ("table=1,priority=high actions=drop", "priority=high"),
        ("tcp,frobnicate=3 actions=drop", "frobnicate=3"),
        ("tcp,nw_dst=10.9.1.300 actions=drop", "nw_dst=10.9.1.300"),
        ("tp_dst=80 actions=drop", "tp_dst=80"),
        ("tcp,udp actions=drop", "udp"),
        ("tcp,tp_dst=65536 actions=drop", "tp_dst=65536"),
        ("ct_state=+old actions=drop", "old"),
        ("ip actions=teleport:3", "teleport:3"),
        ("ip actions=set_field:5->flavour", "flavour"),
        ("ip actions=set_field:0x5/0x5->reg0", "0x5/0x5"),
        ("ip actions=resubmit(1,2)", "resubmit(1,2)"),
        ("ip actions=ct(force,zone=1)", "force"),
        ("ip actions=ct(commit,exec(output:1))", "exec()"),
        ("ip actions=ct(commit,nat(both=1.2.3.4))", "both"),
        ("ip actions=goto_table:5,output:1", "goto_table"),
        ("ip", "no actions="),
    ],
)
def test_an_error_names_the_word(text: str, word: str) -> None:
    with pytest.raises(ValueError, match=word.replace("(", r"\(").replace(")", r"\)")):
        parse_flow(text)


def test_groups_and_meters() -> None:
    group = Group(
        4,
        "select",
        (Bucket((SetField(ENDPOINT, 1), Resubmit(40)), weight=5), Bucket((ToGroup(9),))),
    )
    assert group_text(group) == (
        "group_id=4,type=select,bucket=weight:5,actions=set_field:1->endpoint,"
        "resubmit(,remember),bucket=actions=group:9"
    )
    dumped = (
        " group_id=4,type=select,bucket=bucket_id:0,weight:5,actions=set_field:0x1->reg0,"
        "resubmit(,40),bucket=bucket_id:1,actions=group:9"
    )
    assert parse_group(dumped) == group
    meter = Meter(2, 1000, 2000, per_packet=True)
    assert parse_meter(
        "meter=2 pktps burst stats bands=\ntype=drop rate=1000 burst_size=2000\n"
    ) == (meter)
    assert parse_meter(meter_text(meter)) == meter


@pytest.mark.parametrize(
    "text",
    [
        "group_id=1,bucket=actions=drop",
        "group_id=1,type=select,bucket=bucket_id:3,actions=drop",
        "group_id=1,type=select,flavour=sweet",
        "group_id=1,type=select,bucket=mood:3,actions=drop",
    ],
)
def test_odd_groups_are_refused(text: str) -> None:
    with pytest.raises(ValueError):  # noqa: PT011 - each text has a message of its own
        parse_group(text)


def test_two_bands_are_refused() -> None:
    with pytest.raises(ValueError, match="one band"):
        parse_meter("meter=1 kbps bands=\ntype=drop rate=1\ntype=drop rate=2")


def test_set_field_of_a_run_of_bits() -> None:
    assert parse_actions("set_field:0x5/0x7->reg1") == parse_actions("load:0x5->NXM_NX_REG1[0..2]")
    assert parse_actions("set_field:10.9.1.1->ip_dst") == (set_field("ip_dst", "10.9.1.1"),)
    assert parse_actions("drop") == ()


def test_packets_in_the_syntax_of_a_trace() -> None:
    text = "in_port=1,tcp,nw_src=10.9.1.1,nw_dst=10.9.1.100,tp_src=4000,tp_dst=80"
    packet = tcp(in_port=1, ip_src="10.9.1.1", ip_dst="10.9.1.100", tcp_src=4000, tcp_dst=80)
    assert parse_packet(text) == packet
    assert packet["tcp_flags"] == SYN
    assert parse_packet(f"{text},tcp_flags=+syn+ack")["tcp_flags"] == SYN | ACK
    assert "udp_dst=53" in packet_text(udp(in_port=1, udp_src=9, udp_dst=53))


@pytest.mark.parametrize(
    ("text", "word"),
    [
        ("in_port=1,tcp,udp_dst=9", "udp_dst"),
        ("in_port=1,arp,nw_dst=10.9.1.1", "ip_dst"),
        ("in_port=1,ip,nw_dst=10.9.1.0/24", "ip_dst"),
        ("in_port=1,tcp,tp_dst=http", "tp_dst=http"),
    ],
)
def test_odd_packets_are_refused(text: str, word: str) -> None:
    with pytest.raises(ValueError, match=word):
        parse_packet(text)
