"""What `ryu_apps.wire` encodes, a real ovs-vswitchd takes, and reports back as an equal value."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from openflow.cookies import GROUP_IDS, METER_IDS, OWNER_COOKIE, with_epoch
from openflow.fields import ETH_IP
from openflow.values import (
    ApplyMeter,
    Bucket,
    Ct,
    Flow,
    Goto,
    Group,
    Meter,
    Nat,
    Output,
    Rules,
    ToGroup,
    match,
    set_field,
)
from ryu_apps import reports
from ryu_apps.diff import Changes, Desired, Installed, desired_of, diff
from ryu_apps.framework import ofproto
from ryu_apps.link import Link, ReadBackResult
from ryu_apps.lockstep import Lockstep, Steps
from ryu_apps.order import order
from ryu_apps.session import Applied, Program, ReadBack, Retry, Session, Step
from ryu_apps.units import Unit
from tests.nib_strategies import HERE, Database, Edit, edits, histories
from tests.ovs import PrivateOvs
from tests.strategies import GROUP_NUMBERS, METER_NUMBERS, flows, groups, meters
from tests.switch.managed import BATCHES, BRIDGE, FOREIGN_FLOWS, empty, moment, takes
from tests.switch.management import Management, encoded
from tests.switch_model import SwitchModel, messages, shown

EPOCH = 300

# ------------------------------------------------------------------------------ every kind of rule


@BATCHES
@given(some=st.lists(flows(), min_size=25, max_size=40, unique_by=lambda flow: flow.key))
def test_flows(ovs: PrivateOvs, peer: Management, some: list[Flow]) -> None:
    empty(ovs)
    peer.program(
        Changes(
            add_groups=tuple(Group(n, "select", (Bucket((Output(1),)),)) for n in GROUP_NUMBERS),
            add_meters=tuple(Meter(n, 1000, 1000) for n in METER_NUMBERS),
            put_flows=tuple(some),
        )
    )
    assert peer.holding().flows == {flow.key: flow for flow in some}
    changed = tuple(replace(flow, actions=(Output(2),), cookie=7) for flow in some)
    peer.program(Changes(put_flows=changed))
    assert peer.holding().flows == {flow.key: flow for flow in changed}
    peer.program(Changes(delete_flows=tuple(some[1:])))
    assert peer.holding().flows == {some[0].key: changed[0]}


@BATCHES
@given(some=st.lists(groups(), min_size=8, max_size=20, unique_by=lambda group: group.group_id))
def test_groups(ovs: PrivateOvs, peer: Management, some: list[Group]) -> None:
    empty(ovs)
    peer.program(Changes(add_groups=tuple(some)))
    assert peer.holding().groups == {group.group_id: group for group in some}
    other = tuple(replace(group, kind="all", buckets=some[0].buckets[:1]) for group in some)
    plain = tuple(replace(g, buckets=tuple(Bucket(b.actions) for b in g.buckets)) for g in other)
    peer.program(Changes(modify_groups=plain))
    assert peer.holding().groups == {group.group_id: group for group in plain}
    peer.program(Changes(delete_groups=tuple(some[1:])))
    assert list(peer.holding().groups) == [some[0].group_id]


@BATCHES
@given(some=st.lists(meters(), min_size=8, max_size=20, unique_by=lambda meter: meter.meter_id))
def test_meters(ovs: PrivateOvs, peer: Management, some: list[Meter]) -> None:
    """A meter without a burst has none when it is read back: else every read-back would zero it."""
    empty(ovs)
    peer.program(Changes(add_meters=tuple(some)))
    assert peer.holding().meters == {meter.meter_id: meter for meter in some}
    other = tuple(replace(meter, rate_kbps=77, burst_kb=0) for meter in some)
    peer.program(Changes(modify_meters=other))
    assert peer.holding().meters == {meter.meter_id: meter for meter in other}
    peer.program(Changes(delete_meters=tuple(some[1:])))
    assert list(peer.holding().meters) == [some[0].meter_id]


def test_a_group_of_256_slots_is_one_message(ovs: PrivateOvs, peer: Management) -> None:
    empty(ovs)
    buckets = tuple(Bucket((set_field("reg0", number),)) for number in range(256))
    group = Group(GROUP_IDS.start, "select", buckets)
    peer.program(Changes(add_groups=(replace(group, buckets=()),)))
    peer.program(Changes(modify_groups=(group,)))
    assert peer.holding().groups == {group.group_id: group}


# Each of these was once refused, or came back as something else.
CASES: dict[str, Changes] = {
    "a match on Open vSwitch's own header fields comes after what it requires": Changes(
        put_flows=(Flow(0, 1, match(eth_type=ETH_IP, nw_ttl=7), ()),)
    ),
    "TCP flags are reported by their OpenFlow name": Changes(
        put_flows=(Flow(0, 1, match(eth_type=ETH_IP, ip_proto=6, tcp_flags=(2, 0x12)), ()),)
    ),
    "a bucket that ends in an action of odd length is padded": Changes(
        add_groups=(
            Group(
                1,
                "all",
                (
                    Bucket((Ct(1, commit=True, nat=Nat("src", 0x0A000001, 80)),)),
                    Bucket((Output(1),)),
                ),
            ),
        )
    ),
    "a meter without a burst does not get one": Changes(add_meters=(Meter(1, 1000, 0),)),
}


@pytest.mark.parametrize("case", CASES)
def test_it_comes_back_as_it_was_sent(ovs: PrivateOvs, peer: Management, case: str) -> None:
    empty(ovs)
    peer.program(CASES[case])
    wanted = Installed()
    wanted.confirm(CASES[case])
    assert peer.holding() == wanted


# --------------------------------------------------------------------------- all of prewire's rules


@settings(BATCHES, max_examples=25)
@given(history=histories(), later=st.lists(edits, max_size=6))
def test_compiled_rules_are_taken_read_back_equal_and_taken_back(
    ovs: PrivateOvs, peer: Management, history: list[Edit], later: list[Edit]
) -> None:
    empty(ovs)
    database = Database(history)
    first = desired_of(moment(database).values())
    for edit in later:
        database.write(edit)
    second = desired_of(moment(database).values())
    for wanted in (first, second, first):
        for batch in order(diff(wanted, peer.holding())):
            for stage in batch:
                peer.program(stage)
        assert shown(peer.holding()) == shown(wanted)
        assert diff(wanted, peer.holding()) == Changes()


# ------------------------------------------------------------------------- a session over its link


class Controller:
    """The part of the reconciler that carries steps of one switch out, over a real connection."""

    def __init__(self, peer: Management, wanted: Mapping[Unit, Rules]) -> None:
        self.peer = peer
        self.read = ReadBackResult()
        self.link = Link(peer, EPOCH)
        self.lockstep = Lockstep()
        self.session = Session(wanted, 1)
        self.steps = deque(self.lockstep.join(HERE, self.session))

    def until_it_rests(self, more: Steps | None = None) -> Step:
        """Carry steps out until the session is applied or wants to wait."""
        self.steps += more or []
        while True:
            while not self.steps:
                self.steps += self._heard(self.peer.receive())
            _, step = self.steps.popleft()
            match step:
                case ReadBack():
                    self.link.read_back()
                case Program(batch):
                    self.link.program(batch)
                case Applied() | Retry():
                    return step

    def _heard(self, message: Any) -> Steps:
        if message.msg_type == ofproto.OFPT_ERROR:
            self.link.refused(message)
        elif message.msg_type == ofproto.OFPT_BARRIER_REPLY:
            refused = self.link.barrier(message.xid)
            return [] if refused is None else self.lockstep.acknowledged(HERE, refused)
        elif message.msg_type == ofproto.OFPT_MULTIPART_REPLY:
            result = self.link.reply(message, READERS[message.type])
            if result is not None:
                self.read = result
                return self.lockstep.read(HERE, result.installed)
        return []


READERS: Mapping[int, Callable[[Any], Flow | Group | Meter]] = {
    ofproto.OFPMP_FLOW: reports.flow_of,
    ofproto.OFPMP_GROUP_DESC: reports.group_of,
    ofproto.OFPMP_METER_CONFIG: reports.meter_of,
}


@settings(BATCHES, max_examples=15)
@given(history=histories(), later=st.lists(edits, max_size=6))
def test_a_session_brings_a_switch_to_what_is_wanted(
    ovs: PrivateOvs, peer: Management, history: list[Edit], later: list[Edit]
) -> None:
    empty(ovs)
    database = Database(history)
    wanted = moment(database)
    controller = Controller(peer, wanted)
    assert controller.until_it_rests() == Applied(1)
    check_holding(peer, desired_of(wanted.values()))
    for edit in later:
        database.write(edit)
    after = moment(database)
    gone = dict.fromkeys(wanted.keys() - after.keys(), Rules())
    steps = controller.lockstep.want({HERE: {**after, **gone}}, 2)
    assert controller.until_it_rests(steps) == Applied(2)
    check_holding(peer, desired_of(after.values()))


def check_holding(peer: Management, wanted: Desired) -> None:
    held = peer.holding()
    assert shown(held) == shown(wanted)
    for flow in held.flows.values():
        assert flow.cookie == with_epoch(wanted.flows[flow.key].cookie, EPOCH)


def test_a_later_leader_changes_nothing_that_is_right(ovs: PrivateOvs, peer: Management) -> None:
    empty(ovs)
    wanted = {Unit("base"): Rules((Flow(0, 5, match(), (Goto(20),), OWNER_COOKIE),))}
    assert Controller(peer, wanted).until_it_rests() == Applied(1)
    later = Controller(peer, wanted)
    later.link = Link(peer, EPOCH + 1)
    assert later.until_it_rests() == Applied(1)
    (flow,) = peer.holding().flows.values()
    assert flow.cookie == with_epoch(OWNER_COOKIE, EPOCH)


def test_a_refusal_names_the_rule_and_leaves_the_session_waiting(
    ovs: PrivateOvs, peer: Management
) -> None:
    empty(ovs)
    wrong = Flow(0, 5, match(), (ToGroup(4711),), OWNER_COOKIE)
    right = Flow(0, 6, match(), (Output(1),), OWNER_COOKIE)
    controller = Controller(peer, {Unit("base"): Rules((wrong, right))})
    assert isinstance(controller.until_it_rests(), Retry)
    assert "OFPBAC_BAD_OUT_GROUP" in controller.session.problem
    assert "group:4711" in controller.session.problem
    controller.lockstep.want({HERE: {Unit("base"): Rules((right,))}}, 2)
    assert controller.until_it_rests(controller.lockstep.retry(HERE)) == Applied(2)
    assert list(peer.holding().flows) == [right.key]


# -------------------------------------------------------------------------- what others put there


def test_flows_of_others_are_read_over_and_left_alone(ovs: PrivateOvs, peer: Management) -> None:
    """Whatever a switch holds, prewire can start on it."""
    empty(ovs)
    added = [flow for flow in FOREIGN_FLOWS if takes(ovs, flow)]
    assert len(added) >= 25
    ovs.ofctl("add-group", BRIDGE, "group_id=5,type=select,selection_method=hash,bucket=output:1")
    ovs.ofctl("add-meter", BRIDGE, "meter=5,kbps,band=type=drop,rate=1000")
    wanted = {Unit("base"): Rules((Flow(20, 5, match(), (Output(1),), OWNER_COOKIE),))}
    controller = Controller(peer, wanted)
    assert controller.until_it_rests() == Applied(1)
    dump = ovs.ofctl("--no-stats", "dump-flows", BRIDGE)
    assert dump.count("actions=") == len(added) + 1
    assert "group_id=5" in ovs.ofctl("dump-groups", BRIDGE)
    assert "meter=5" in ovs.ofctl("dump-meters", BRIDGE)
    assert len(controller.session.installed.flows) == 3  # ours, and two that we could express
    assert len(controller.read.foreign) == len(added) - 2


def test_meters_and_groups_take_flows_with_them_as_the_model_says(
    ovs: PrivateOvs, peer: Management
) -> None:
    """Of tests.switch_model, which sessions are tried against."""
    empty(ovs)
    group = Group(GROUP_IDS.start, "select", (Bucket((Output(1),)),))
    meter = Meter(METER_IDS.start, 1000, 1000)
    model = SwitchModel()
    by_group = Flow(0, 1, match(), (ToGroup(group.group_id),), OWNER_COOKIE)
    by_meter = Flow(0, 2, match(), (ApplyMeter(meter.meter_id), Output(1)), OWNER_COOKIE)
    for changes in (
        Changes(put_flows=(by_group,)),
        Changes(put_flows=(by_meter,)),
        Changes(modify_groups=(group,)),
        Changes(modify_meters=(meter,)),
        Changes(add_groups=(group,), add_meters=(meter,), put_flows=(by_group, by_meter)),
        Changes(add_groups=(group,)),
        Changes(add_meters=(meter,)),
        Changes(delete_groups=(group,)),
        Changes(delete_meters=(meter,)),
        Changes(delete_groups=(group,), delete_meters=(meter,), delete_flows=(by_group,)),
    ):
        refused = [error for message in messages(changes) if (error := model.take(message))]
        said = peer.refusals(encoded(changes))
        assert [error.split()[1].partition("(")[0] for error in said.values()] == refused
        assert shown(peer.holding()) == shown(model.held)
