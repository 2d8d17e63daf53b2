"""The table of stages, and what went wrong without one of them."""

from __future__ import annotations

from dataclasses import replace
from itertools import chain

from gateway_lb.endpoints import Placed
from gateway_lb.replies import fronts_of, host_rules
from nib.intent import Container, Service
from openflow import tables
from openflow.values import Bucket, Flow, Group, Meter, Output, Rules, match, merged
from ryu_apps.diff import Changes, desired_of, diff
from ryu_apps.order import ORDER, order
from tests.service_rules import whole_service
from tests.switch_model import copy_of

WEB = Service("web", "10.0.0.100", 80, number=1)
C1 = Container("web", "c1", "10.0.1.1", 8080, "02:00:00:00:00:11", iface_id="pod-1", number=2)
C2 = replace(C1, id="c2", address="10.0.1.2", number=3)


def web(*containers: Container, slots: tuple[int, ...]) -> Rules:
    """The service and the addresses of its containers, but for their resolution."""
    placed = [Placed(container) for container in containers]
    hosts = [host_rules(c.address, fronts_of(WEB, c), c.mac, 1).flows[1:] for c in containers]
    rules = whole_service(WEB, placed, slots, 1)
    return merged([rules, *(Rules(flows) for flows in hosts)])


def changes(before: Rules, after: Rules) -> Changes:
    return diff(desired_of([after]), copy_of(desired_of([before])))


def tables_of(flows: tuple[Flow, ...]) -> list[str]:
    return [tables.table_name(flow.table) for flow in flows]


# The flows of a container, by how far in the pipeline their packets come.
THERE = ["endpoint", "endpoint", "remember"]
BACK = ["conntrack", "conntrack"]
DIRECT = ["conntrack"]


def test_nothing_to_do_is_no_batch() -> None:
    assert order(Changes()) == []


def test_a_new_container_is_there_before_its_service_chooses_it() -> None:
    make, turn = order(changes(web(C1, slots=(2, 2)), web(C1, C2, slots=(2, 3))))
    assert tables_of(make[0].put_flows) == [*BACK, *THERE]
    assert tables_of(make[1].put_flows) == DIRECT
    assert not any(stage.modify_groups for stage in make)
    assert len(turn[0].modify_groups) == 1


def test_a_container_goes_when_its_service_chooses_it_no_more() -> None:
    turn, gone = order(changes(web(C1, C2, slots=(2, 3)), web(C1, slots=(2, 2))))
    assert len(turn[0].modify_groups) == 1
    assert tables_of(gone[0].delete_flows) == DIRECT
    assert tables_of(gone[1].delete_flows) == [*reversed(THERE), *BACK]


def test_a_service_is_entered_last_and_left_first() -> None:
    (make,) = order(changes(Rules(), web(C1, slots=(2, 2))))
    assert make[0].add_groups
    assert tables_of(make[1].put_flows) == [*BACK, *THERE, "service"]
    assert tables_of(make[2].put_flows) == [*DIRECT, "conntrack"]
    (gone,) = order(changes(web(C1, slots=(2, 2)), Rules()))
    assert tables_of(gone[0].delete_flows) == [*DIRECT, "conntrack"]
    assert tables_of(gone[1].delete_flows) == ["service", *reversed(THERE), *BACK]
    assert gone[2].delete_groups


def test_replies_from_a_new_port_are_restored_before_the_container_is_sent_to_there() -> None:
    """Else the first connections to the new port saw answers that no VIP had given."""
    moved = replace(C1, port=9090)
    make, gone = order(changes(web(C1, slots=(2, 2)), web(moved, slots=(2, 2))))
    put = tables_of(tuple(chain(*(stage.put_flows for stage in make))))
    assert put == [*BACK, "endpoint", "endpoint", *DIRECT]
    assert tables_of(tuple(chain(*(stage.delete_flows for stage in gone)))) == [*DIRECT, *BACK]


def test_groups_and_meters_are_there_before_flows_name_them_and_go_after() -> None:
    flow = Flow(0, 1, match(), (Output(1),))
    group, meter = Group(1, "all", (Bucket((Output(1),)),)), Meter(1, 1000, 1000)
    everything = Changes(
        add_groups=(group,),
        modify_groups=(replace(group, group_id=2),),
        delete_groups=(replace(group, group_id=3),),
        add_meters=(meter,),
        modify_meters=(replace(meter, meter_id=2),),
        delete_meters=(replace(meter, meter_id=3),),
        put_flows=(flow,),
        delete_flows=(replace(flow, priority=2),),
    )
    make, turn, gone = order(everything)
    assert make == (
        Changes(
            add_groups=everything.add_groups,
            add_meters=everything.add_meters,
            modify_meters=everything.modify_meters,
        ),
        Changes(put_flows=everything.put_flows),
    )
    assert turn == (Changes(modify_groups=everything.modify_groups),)
    assert gone == (
        Changes(delete_flows=everything.delete_flows),
        Changes(delete_groups=everything.delete_groups, delete_meters=everything.delete_meters),
    )


def test_every_stage_says_what_it_is_for() -> None:
    names = [(act, name) for act, stages in ORDER.items() for name, _ in stages]
    assert len(names) == len(set(names))
    assert all(names)
