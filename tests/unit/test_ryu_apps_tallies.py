"""What became of containers' connections, from the counters of their flows."""

from __future__ import annotations

from typing import Any

from gateway_lb.ejection import Counts
from openflow import tables
from openflow.cookies import Cookie, Kind
from openflow.fields import ETH_IP, PROTO_TCP, PROTO_UDP
from openflow.packet import RST, SYN_ACK
from ryu_apps.framework import parser
from ryu_apps.tallies import Tallies


def flow(
    table: tables.Table, number: int, packets: int, flags: int = 0, protocol: int = PROTO_TCP
) -> Any:
    """An entry of a flow statistics reply."""
    on: dict[str, Any] = {"eth_type": ETH_IP, "ip_proto": protocol, "reg0": number}
    if flags:
        on["tcp_flags_nxm"] = (flags, flags)
    return parser.OFPFlowStats(
        table_id=table.number,
        priority=110 if flags else 100,
        cookie=Cookie(Kind.CONTAINER, number, epoch=7).value,
        packet_count=packets,
        match=parser.OFPMatch(**on),
    )


def container(number: int, new: int, answered: int, reset: int) -> list[Any]:
    return [
        flow(tables.REMEMBER, number, new),
        flow(tables.REPLY, number, answered, SYN_ACK),
        flow(tables.REPLY, number, reset, RST),
    ]


NUMBERS = {5, 6}


def known(*switches: str) -> Tallies:
    """With switches that were read before there was any container."""
    tallies = Tallies()
    for switch in switches:
        tallies.read(switch, [])
    tallies.counts(NUMBERS)
    return tallies


def test_counts_are_the_sum_over_switches() -> None:
    tallies = known("s1", "s2")
    tallies.read("s1", container(5, 10, 7, 3) + container(6, 1, 1, 0))
    tallies.read("s2", container(5, 4, 4, 0))
    assert tallies.counts(NUMBERS) == {5: Counts(14, 11, 3), 6: Counts(1, 1, 0)}


def test_a_switch_that_is_not_read_again_counts_as_before() -> None:
    tallies = known("s1", "s2")
    tallies.read("s1", container(5, 10, 7, 3))
    tallies.read("s2", container(5, 4, 4, 0))
    tallies.counts(NUMBERS)
    tallies.read("s1", container(5, 11, 8, 3))
    assert tallies.counts({5}) == {5: Counts(15, 12, 3)}


def test_counts_never_go_down() -> None:
    """Flows that were made anew count from zero."""
    tallies = known("s1")
    tallies.read("s1", container(5, 10, 7, 3))
    tallies.read("s1", container(5, 2, 1, 1))
    assert tallies.counts({5}) == {5: Counts(12, 8, 4)}


def test_what_a_switch_counted_before_its_first_round_is_nothing_of_now() -> None:
    """A switch that comes later must not add years of failures to one window."""
    tallies = known("s1")
    tallies.read("s1", container(5, 10, 10, 0))
    tallies.read("s2", container(5, 9000, 8000, 900))
    tallies.read("s2", container(6, 10, 0, 10))  # a further part of its answer
    assert tallies.counts(NUMBERS) == {5: Counts(10, 10, 0), 6: Counts(0, 0, 0)}
    tallies.read("s2", container(5, 9001, 8001, 900) + container(6, 11, 0, 10))
    assert tallies.counts(NUMBERS) == {5: Counts(11, 11, 0), 6: Counts(1, 0, 0)}


def test_a_switch_that_was_away_begins_anew_and_the_others_go_on() -> None:
    tallies = known("s1", "s2")
    tallies.read("s1", container(5, 10, 10, 0))
    tallies.read("s2", container(5, 5, 4, 1))
    assert tallies.counts({5}) == {5: Counts(15, 14, 1)}
    tallies.left("s2")
    tallies.read("s1", container(5, 11, 11, 0))
    tallies.read("s2", container(5, 500, 0, 500))
    assert tallies.counts({5}) == {5: Counts(16, 15, 1)}
    tallies.read("s2", container(5, 502, 1, 500))
    assert tallies.counts({5}) == {5: Counts(18, 16, 1)}


def test_other_flows_do_not_count() -> None:
    tallies = known("s1")
    others = [
        flow(tables.ENDPOINT, 5, 100),
        flow(tables.REMEMBER, 5, 100, protocol=PROTO_UDP),
        flow(tables.REPLY, 5, 100),
    ]
    tallies.read("s1", others + container(5, 1, 1, 0))
    assert tallies.counts({5}) == {5: Counts(1, 1, 0)}


def test_containers_that_are_not_asked_for_are_forgotten() -> None:
    tallies = Tallies()
    tallies.read("s1", container(5, 10, 7, 3) + container(6, 1, 1, 0))
    assert set(tallies.counts({6})) == {6}
    assert set(tallies.counts({5, 6})) == {6}
