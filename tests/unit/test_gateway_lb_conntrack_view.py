"""Lines of a connection table, as Open vSwitch 3.1 prints them, and the rows that come of them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway_lb.conntrack_view import Tally, due_rows, is_urgent
from nib.intent import Container, Service
from nib.mirror import Mirror, RowChange
from nib.observed import Connections
from nib.records import Record

HERE, THERE = f"{1:016x}", f"{2:016x}"
MAC = "02:00:00:00:00:01"
NOW = 1_000_000

V4 = (
    "tcp,orig=(src=10.0.0.1,dst=10.0.0.100,sport=40182,dport=80),"
    "reply=(src=10.0.0.100,dst=10.0.0.1,sport=80,dport=40182),id=0,zone=5,status=0,mark=7,"
    "labels=0x1234,protoinfo=(state_orig={},state_reply={},wscale_orig=10,wscale_reply=10,"
    "flags_orig=WINDOW_SCALE,flags_reply=WINDOW_SCALE)"
)
V6 = (
    "tcp,orig=(src=fd00::1,dst=fd00::2,sport=50644,dport=80),"
    "reply=(src=fd00::2,dst=fd00::1,sport=80,dport=50644),id=0,zone=5,status=0,mark=8,"
    "protoinfo=(state_orig={},state_reply={},wscale_orig=10,wscale_reply=0,"
    "flags_orig=WINDOW_SCALE,flags_reply=0)"
)
UDP = (
    "udp,orig=(src=10.0.0.1,dst=10.0.0.2,sport=50561,dport=53),"
    "reply=(src=10.0.0.2,dst=10.0.0.1,sport=53,dport=50561),id=0,zone=6,status=0,mark=9"
)
KERNEL = (
    "tcp,orig=(src=10.1.1.1,dst=10.1.1.2,sport=47874,dport=80),"
    "reply=(src=10.1.1.2,dst=10.1.1.1,sport=80,dport=47874),id=2371400848,zone=5,"
    "status=SEEN_REPLY|ASSURED|CONFIRMED,timeout=431999,mark=11,labels=0x1,"
    "protoinfo=(state_orig={},state_reply={},wscale_orig=7,wscale_reply=7,"
    "flags_orig=WINDOW_SCALE|SACK_PERM,flags_reply=WINDOW_SCALE|SACK_PERM)"
)


def tally(*lines: str) -> Tally:
    made = Tally()
    made.add(line.encode() for line in lines)
    return made


def is_open(line: str, orig: str, reply: str) -> bool:
    made = tally(line.format(orig, reply))
    assert made.unknown == 0
    return sum(made.counts.values()) == 1


def test_zone_and_mark_of_every_kind() -> None:
    both = ("ESTABLISHED", "ESTABLISHED")
    made = tally(V4.format(*both), V4.format(*both), V6.format(*both), UDP, KERNEL.format(*both))
    assert made.counts == {(5, 7): 2, (5, 8): 1, (6, 9): 1, (5, 11): 1}
    assert made.unknown == 0


@pytest.mark.parametrize(
    ("orig", "reply"),
    [
        ("SYN_SENT", "CLOSED"),  # not answered yet
        ("SYN_SENT", "SYN_SENT"),
        ("ESTABLISHED", "ESTABLISHED"),
        ("CLOSING", "ESTABLISHED"),  # the client has sent its FIN, the container still answers
        ("FIN_WAIT_2", "ESTABLISHED"),
    ],
)
def test_open_as_long_as_the_container_s_end_is(orig: str, reply: str) -> None:
    assert is_open(V4, orig, reply)


@pytest.mark.parametrize(
    ("orig", "reply"),
    [
        ("ESTABLISHED", "CLOSING"),
        ("ESTABLISHED", "FIN_WAIT_2"),
        ("FIN_WAIT_2", "FIN_WAIT_2"),
        ("FIN_WAIT_2", "CLOSING"),
        ("TIME_WAIT", "TIME_WAIT"),  # also after a reset
        ("CLOSED", "CLOSED"),
        ("LAST_ACK", "LAST_ACK"),
    ],
)
def test_over(orig: str, reply: str) -> None:
    assert not is_open(V6, orig, reply)


def test_nobody_s_connections_are_not_counted() -> None:
    line = V4.format("ESTABLISHED", "ESTABLISHED")
    made = tally(line.replace(",mark=7", ""), line.replace(",zone=5", ""), "", " ")
    assert (dict(made.counts), made.unknown) == ({}, 0)


def test_answered_connections_by_client_of_the_containers_that_are_told_apart() -> None:
    both = ("ESTABLISHED", "ESTABLISHED")
    made = Tally(frozenset({7, 8, 9}))
    lines = [
        *[V4.format(*both), V6.format("ESTABLISHED", "SYN_SENT"), UDP, KERNEL.format(*both)],
        V4.format("SYN_SENT", "CLOSED"),  # refused, or not answered yet
        V4.format("TIME_WAIT", "TIME_WAIT"),
    ]
    made.add(line.encode() for line in lines)
    assert made.sources == {(5, 7, "10.0.0.1"): 1, (5, 8, "fd00::1"): 1}
    assert made.counts[5, 7] == 2, "one that is not answered yet is a container's already"


def test_unknown_lines_are_counted_and_nothing_else() -> None:
    made = tally("what?", "tcp,orig=(", V4.format("ESTABLISHED", "ESTABLISHED"), "\0\xff")
    assert (dict(made.counts), made.unknown) == ({(5, 7): 1}, 3)


@given(st.lists(st.binary(max_size=200)))
def test_any_bytes_are_survived(lines: list[bytes]) -> None:
    made = Tally()
    made.add(lines)
    assert made.unknown + sum(made.counts.values()) <= len(lines)


@given(st.data())
def test_a_damaged_line_is_survived(data: st.DataObject) -> None:
    line = bytearray(V4.format("ESTABLISHED", "ESTABLISHED").encode())
    for _ in range(data.draw(st.integers(1, 4))):
        place = data.draw(st.integers(0, len(line) - 1))
        line[place : place + data.draw(st.integers(0, 9))] = data.draw(st.binary(max_size=5))
    made = Tally()
    made.add([bytes(line)])
    assert made.unknown + sum(made.counts.values()) <= 1


WEB = Service("web", "10.0.0.100", 80, number=1)
ONE = Container("web", "one", "10.0.0.1", 8080, MAC, iface_id="one", number=7)
TWO = Container("web", "two", "10.0.0.2", 8080, MAC, iface_id="two", number=8)
ZONES = {HERE: 5}


def holding(*records: Record) -> Mirror:
    view = Mirror()
    for record in records:
        view.apply(RowChange(None, record))
    return view


def due(counts: Mapping[tuple[int, int], int], *records: Record) -> list[Connections]:
    return due_rows(counts, ZONES, holding(*records), NOW)


def row(count: int, age_ms: int = 0, switch: str = HERE) -> Connections:
    return Connections("web", "one", count, NOW - age_ms, switch)


def test_a_row_for_what_has_connections_in_our_zones_wherever_it_is() -> None:
    counts = {(5, 7): 3, (6, 7): 10, (0x8005, 7): 10, (5, 8): 1, (5, 99): 1}
    assert due(counts, WEB, ONE, TWO) == [row(3), replace(row(1), container="two")]


def test_a_row_for_each_switch_of_ours_that_has_connections_of_a_container() -> None:
    counts = {(5, 7): 3, (6, 7): 10}
    found = due_rows(counts, {HERE: 5, THERE: 6}, holding(WEB, ONE, TWO), NOW)
    assert found == [row(3), row(10, switch=THERE)]


def test_a_switch_writes_by_its_own_rows() -> None:
    known = (row(3, 1500), row(10, 1500, THERE))
    found = due_rows({(5, 7): 3}, {HERE: 5, THERE: 6}, holding(WEB, ONE, *known), NOW)
    assert found == [row(0, switch=THERE)]


def test_nothing_for_stateless_services() -> None:
    assert due({(5, 7): 3}, replace(WEB, mode="stateless"), ONE) == []


@pytest.mark.parametrize(
    ("known", "count", "is_due"),
    [
        (None, 0, False),
        (None, 1, True),
        (row(1), 1, False),
        (row(1), 2, False),
        (row(1, 999), 2, False),
        (row(1, 1000), 2, True),
        (row(2, 99_999), 2, False),
        (row(2, 1000), 0, True),
        (row(1, 0, THERE), 0, False),
        (row(1, 0, THERE), 1, True),
    ],
)
def test_an_ordinary_count_at_most_every_second(
    known: Connections | None, count: int, is_due: bool
) -> None:
    stored = (known,) if known else ()
    assert due({(5, 7): count}, WEB, ONE, *stored) == ([row(count)] if is_due else [])
    assert not is_urgent(holding(WEB, ONE, *stored))


@pytest.mark.parametrize(
    ("service", "container", "is_limit"),
    [
        (WEB, replace(ONE, state="draining", drain_until_ms=NOW), True),
        (WEB, replace(ONE, max_connections=5), True),
        (replace(WEB, max_connections=5), ONE, True),
        (replace(WEB, policy="least_inflight"), ONE, False),
        (WEB, replace(ONE, max_inflight=5), False),
    ],
)
def test_a_count_that_matters_at_every_change(
    service: Service, container: Container, is_limit: bool
) -> None:
    def is_due(count: int, *known: Connections) -> bool:
        return due({(5, 7): count}, service, container, *known) == [row(count)]

    assert is_due(0)
    assert is_due(0, row(4, 0, THERE)) is is_limit, "a limit needs the word of every switch"
    assert is_due(1, row(4, 0, THERE))
    assert is_due(2, row(1))
    assert not is_due(2, row(2, 999))
    assert is_due(2, row(2, 1000)) is is_limit
    assert is_urgent(holding(service, container))


def test_nothing_is_urgent_in_a_stateless_service() -> None:
    capped = replace(WEB, mode="stateless", policy="least_inflight")
    assert not is_urgent(holding(capped, ONE))
