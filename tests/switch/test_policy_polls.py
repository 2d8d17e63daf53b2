"""What is offered of policies, as a real switch counts it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import pytest

from nib.mirror import Mirror, RowChange
from nib.qos import Policy, PolicyShare, QosClass
from nib.records import Record
from nib.topology import Switch
from openflow import tables
from openflow.cookies import Cookie, Kind
from openflow.fields import SOURCE_SERVICE, TARGET_SERVICE
from openflow.values import Flow, Goto, SetField, match
from qos.pipeline import Limits, policy_rules
from ryu_apps import reports, wire
from ryu_apps.connected import Connected
from ryu_apps.diff import Changes
from ryu_apps.framework import ofproto
from ryu_apps.link import Link
from ryu_apps.mailbox import Mailbox
from ryu_apps.policy_polls import PolicyPolls, divided_policies
from ryu_apps.session import Session
from tests.nib_strategies import HERE, THERE
from tests.ovs import PrivateOvs
from tests.switch.managed import empty
from tests.switch.management import Management
from tests.waiting import until

DIVIDED: Final = Policy("divided", "shop", "web", max_bps=1_000_000, number=1)
WHOLE: Final = Policy("whole", None, "web", max_bps=1_000_000, number=2)
CLASS: Final = QosClass("bulk", 1, 1)
FRAME_BYTES: Final = 1000
FRAME: Final = (
    "in_port(1),eth(src=02:00:00:00:00:01,dst=02:00:00:00:00:02),eth_type(0x0800),"
    "ipv4(src=10.0.0.1,dst=10.0.0.2,proto=17,tos=0,ttl=64,frag=no),udp(src=1,dst=2)"
)


class Polled:
    """The part of a term that polls, over a real connection."""

    def __init__(self, peer: Management) -> None:
        self.peer = peer
        self.view = Mirror()
        rows: list[Record] = [Switch(dpid, zone) for zone, dpid in enumerate((HERE, THERE), 1)]
        rows += [DIVIDED, WHOLE, PolicyShare("whole", HERE, 1_000_000)]
        rows += [PolicyShare("divided", dpid, 500_000) for dpid in (HERE, THERE)]
        for row in rows:
            self.view.apply(RowChange(None, row))
        self.connected = Connected(HERE, Link(peer), session=Session({}, 1))
        self.mailbox = Mailbox("test")  # never started: the test says when the next round is
        self.told: list[Mapping[str, Mapping[str, float]]] = []
        self.polls = PolicyPolls(
            self.view,
            {HERE: self.connected},
            self.mailbox,
            lambda rates, _: self.told.append(rates),
        )

    def round(self) -> int:
        """A round, and its answers; how many there were."""
        self.polls.poll()
        answers = self.answers()
        for message in answers:
            self.polls.heard(self.connected, message)
        return len(answers)

    def answers(self) -> list[Any]:
        """All that the switch says to what was asked so far."""
        self.peer.send(wire.barrier(7 << 28))
        answers = []
        while (message := self.peer.receive()).msg_type != ofproto.OFPT_BARRIER_REPLY:
            answers.append(message)
        return answers


@pytest.fixture
def polled(ovs: PrivateOvs, peer: Management) -> Polled:
    empty(ovs)
    rules = [
        policy_rules(each, CLASS, (source, 20), Limits(500_000), is_closed=True)
        for each, source in ((DIVIDED, 10), (WHOLE, None))
    ]
    to_police = (SetField(SOURCE_SERVICE, 10), SetField(TARGET_SERVICE, 20))
    marker = Cookie(Kind.BASE, 1).value
    peer.program(
        Changes(
            add_meters=tuple(meter for each in rules for meter in each.meters),
            put_flows=(
                Flow(0, 1, match(), (*to_police, Goto(tables.POLICE.number)), marker),
                Flow(tables.POLICE.number, 1, match(), (), marker),
                *(flow for each in rules for flow in each.flows),
            ),
        )
    )
    return Polled(peer)


def test_rates_of_the_policies_that_are_divided(ovs: PrivateOvs, polled: Polled) -> None:
    ovs.appctl("netdev-dummy/receive", "p1", FRAME, "--len", str(FRAME_BYTES))
    assert polled.round() == 1
    assert polled.told == []
    ovs.appctl("netdev-dummy/receive", "p1", *[FRAME, "--len", str(FRAME_BYTES)] * 50)

    def rates() -> Mapping[str, Mapping[str, float]]:
        polled.round()
        return polled.told[-1] if polled.told else {}

    until(rates, lambda seen: seen.get("divided", {}).get(HERE), "the frames are counted")
    assert polled.told[-1].keys() == {"divided"}
    assert polled.told[-1]["divided"].keys() == {HERE}


def test_a_policy_that_is_whole_again_is_not_asked_for(polled: Polled) -> None:
    assert divided_policies(polled.view) == {HERE: {"divided"}, THERE: {"divided"}}
    polled.round()
    polled.round()
    polled.view.apply(RowChange(PolicyShare("divided", THERE, 500_000), None))
    told = len(polled.told)
    assert [polled.round(), polled.round()] == [0, 0]
    assert all(rates == {} for rates in polled.told[told:])


def test_a_switch_that_owes_an_answer_is_asked_again_after_some_rounds(polled: Polled) -> None:
    for _ in range(6):
        polled.polls.poll()
    assert len(polled.answers()) == 1
    polled.polls.poll()
    (answer,) = polled.answers()
    assert polled.connected.link.is_counting_flows
    polled.polls.heard(polled.connected, answer)
    assert not polled.connected.link.is_counting_flows


def test_a_read_back_and_a_poll_are_not_mixed_up(polled: Polled) -> None:
    link = polled.connected.link
    polled.polls.poll()
    link.read_back(wire.flows_request)
    poll, read_back = polled.answers()
    assert link.flow_counts(read_back) is None
    assert link.reply(poll, reports.flow_of) is None
    counts = link.flow_counts(poll)
    assert counts is not None
    assert counts.keys() == {Cookie(Kind.POLICY, each.number).value for each in (DIVIDED, WHOLE)}
    result = link.reply(read_back, reports.flow_of)
    assert result is not None
    assert len(result.installed.flows) == 8
