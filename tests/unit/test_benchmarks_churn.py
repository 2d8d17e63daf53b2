"""What the churn benchmarks need no controller for: who is there, and simulated switches."""

from __future__ import annotations

import re
import struct
from collections.abc import Iterator

import pytest

from benchmarks.control.churn_changes import EACH, SERVICES, Population
from benchmarks.load.churn_load import Client
from benchmarks.sites.responder import HEADER, SimulatedSwitch
from openflow.values import Bucket, Flow, Goto, Group, Output, match
from ryu_apps import reports, wire
from ryu_apps.framework import ofproto, parser

_LINE = re.compile(rb"(PUT|DELETE) /v1/services/s(\d+)/containers/c(\d+)")


def named(request: bytes) -> tuple[str, int, int]:
    found = _LINE.match(request)
    assert found
    return found[1].decode(), int(found[2]), int(found[3])


def test_every_change_is_of_a_container_that_is_there() -> None:
    population = Population(Client(1), ["c1", "c2"])
    there = {named(request)[1:] for request in population.registrations()}
    assert len(there) == population.size == SERVICES * EACH
    changes = population.changes()
    for turn in range(3000):
        method, *one = named(next(changes))
        if method == "DELETE":
            there.remove((one[0], one[1]))
        elif turn % 3 == 0:
            assert tuple(one) in there
        else:
            assert tuple(one) not in there
            there.add((one[0], one[1]))
    assert len(there) == population.size


def test_a_container_is_seldom_asked_for_twice_in_a_short_time() -> None:
    changes = Population(Client(1), ["c1"]).changes()
    numbers = [named(next(changes))[2] for _ in range(1000)]
    assert len(set(numbers)) == len(numbers)


def answers(data: bytes) -> Iterator[tuple[int, int, bytes]]:
    """Type, id and body of each message."""
    while data:
        _, kind, length, xid = HEADER.unpack_from(data)
        yield kind, xid, data[HEADER.size : length]
        data = data[length:]


def parsed(data: bytes) -> list[object]:
    """The entries of multipart replies, as the framework reads them."""
    found: list[object] = []
    for kind, xid, body in answers(data):
        assert kind == ofproto.OFPT_MULTIPART_REPLY
        whole = HEADER.pack(4, kind, HEADER.size + len(body), xid) + body
        found += parser.OFPMultipartReply.parser(None, 4, kind, len(whole), xid, whole).body
    return found


FLOWS = [
    Flow(
        10,
        priority,
        match(eth_type=0x0800, ip_dst=f"10.0.{priority // 250}.{1 + priority % 250}"),
        (Goto(20),),
        7,
    )
    for priority in range(1, 2001)
]
GROUP = Group(5, "select", (Bucket((Output(1),)), Bucket((Output(2),))))


def test_a_simulated_switch_tells_what_it_was_told_to_hold() -> None:
    switch = SimulatedSwitch(3, ports=2)
    told = b"".join(wire.flow_put(flow, xid) for xid, flow in enumerate(FLOWS))
    assert switch.taken(told + wire.group_add(GROUP, 1) + wire.barrier(9)) == HEADER.pack(
        4, ofproto.OFPT_BARRIER_REPLY, HEADER.size, 9
    )
    replies = switch.taken(wire.flows_request(1))
    assert len(list(answers(replies))) > 1
    assert [reports.flow_of(entry) for entry in parsed(replies)] == FLOWS
    assert [reports.group_of(entry) for entry in parsed(switch.taken(wire.groups_request(2)))] == [
        GROUP
    ]
    assert switch.counts == {"flow-mod": 2000, "group-mod": 1, "barrier": 1, "multipart": 2}


def test_it_forgets_what_is_deleted_and_replaces_what_is_put_again() -> None:
    switch = SimulatedSwitch(3, ports=2)
    first = FLOWS[0]
    again = Flow(first.table, first.priority, first.match, (Goto(30),), 8)
    switch.taken(wire.flow_put(first, 1) + wire.flow_put(again, 2) + wire.group_add(GROUP, 3))
    assert [reports.flow_of(e) for e in parsed(switch.taken(wire.flows_request(4)))] == [again]
    switch.taken(wire.flow_delete(first, 5) + wire.group_delete(GROUP, 6))
    assert switch.held == (0, 0)


@pytest.mark.parametrize("cut", [1, 7, 8, 9, 50])
def test_messages_may_come_in_pieces(cut: int) -> None:
    switch = SimulatedSwitch(3, ports=2)
    data = wire.flow_put(FLOWS[0], 1) + wire.barrier(2)
    came = [switch.taken(data[at : at + cut]) for at in range(0, len(data), cut)]
    assert [kind for kind, _, _ in answers(b"".join(came))] == [ofproto.OFPT_BARRIER_REPLY]
    assert switch.held == (1, 0)


def test_what_it_does_not_know_is_an_error() -> None:
    unknown = HEADER.pack(4, ofproto.OFPT_MULTIPART_REQUEST, 16, 1) + struct.pack("!HH4x", 99, 0)
    ((kind, xid, _),) = answers(SimulatedSwitch(3, ports=2).taken(unknown))
    assert (kind, xid) == (ofproto.OFPT_ERROR, 1)
