"""How the rules of services are built; what they do to packets is in tests/property."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

import pytest

from gateway_lb.endpoints import Placed
from gateway_lb.neighbours import vip_rules
from gateway_lb.pipeline import EMPTY_METER, base_rules, group_id
from gateway_lb.replies import fronts_of, host_rules, origin_zone
from nib.fields import MAX_NUMBER
from nib.intent import Container, Service
from nib.policy import Ejection, ExtraPort
from openflow import cookies, tables
from openflow.cookies import GROUP_IDS, Kind
from openflow.values import (
    CONTROLLER,
    ApplyMeter,
    Ct,
    FieldMatch,
    Flow,
    Goto,
    Output,
    Resubmit,
    Rules,
    merged,
)
from tests.service_rules import whole_service

WEB = Service("web", "10.0.0.100", 80, number=1)
C1 = Container("web", "c1", "10.0.1.1", 8080, "02:00:00:00:00:11", iface_id="pod-1", number=2)
C2 = replace(C1, id="c2", address="10.0.1.2", number=3)
C6 = replace(C1, address="fd00::11", number=4)
SERVICES = {
    "tcp": WEB,
    "udp": replace(WEB, name="dns", protocol="udp", number=9),
    "ipv6": replace(WEB, vip="fd00::100", number=9),
    "several ports": replace(WEB, extra_ports=(ExtraPort(443, 8443), ExtraPort(53, 53, "udp"))),
    "shared port": replace(WEB, extra_ports=(ExtraPort(81, 8080),)),
    "stateless": replace(WEB, mode="stateless"),
    "affinity": replace(WEB, policy="source_affinity"),
    "capped": replace(WEB, max_connections=5),
    "ejection": replace(WEB, ejection=Ejection()),
}


def everything(service: Service, zone: int = 7, slots: tuple[int, ...] = (2, 3) * 32) -> Rules:
    """All rules of a service with a container here and one elsewhere."""
    here = C6 if service.vip.startswith("fd") else C1
    there = replace(here, id="c2", address=f"{here.address}2", number=3)
    fronts = [front for container in (here, there) for front in fronts_of(service, container)]
    targets = Counter((front.container, front.protocol, front.target) for front in fronts)
    shared = frozenset(target[1:] for target, count in targets.items() if count > 1)
    parts = [
        base_rules(),
        vip_rules(service.vip, (9, "02:00:00:00:00:99")),
        host_rules(here.address, fronts_of(service, here), here.mac, zone),
        whole_service(service, [Placed(here, shared), Placed(there)], slots, zone),
    ]
    return merged(parts)


every_service = pytest.mark.parametrize("service", SERVICES.values(), ids=SERVICES)


def leads_to(flow: Flow) -> list[int]:
    numbers = [getattr(action, "table", None) for action in flow.actions]
    return [number for number in numbers if number is not None]


@every_service
def test_packets_only_move_to_later_tables(service: Service) -> None:
    rules = everything(service)
    assert all(to > flow.table for flow in rules.flows for to in leads_to(flow))
    named = {table.number for table in tables.PIPELINE}
    assert {to for flow in rules.flows for to in leads_to(flow)} <= named
    resubmits = {
        action.table
        for group in rules.groups
        for bucket in group.buckets
        for action in bucket.actions
        if isinstance(action, Resubmit)
    }
    assert resubmits == {tables.REMEMBER.number}


@every_service
def test_without_slots_the_group_leads_to_the_controller(service: Service) -> None:
    rules = everything(service, slots=())
    (group,) = rules.groups
    assert [bucket.actions[-1] for bucket in group.buckets] == [Resubmit(tables.EMPTY.number)]
    told = [flow for flow in rules.flows if flow.table == tables.EMPTY.number]
    assert told
    for flow in told:
        assert flow.actions[0] == ApplyMeter(EMPTY_METER)
        assert flow.actions[-1] == Output(CONTROLLER)
        assert flow.match.get("reg0") == FieldMatch("reg0", service.number, (1 << 32) - 1)


@every_service
def test_what_goes_to_the_controller_is_metered(service: Service) -> None:
    rules = everything(service)
    meters = {meter.meter_id for meter in rules.meters}
    punting = [flow for flow in rules.flows if Output(CONTROLLER) in flow.actions]
    assert punting
    for flow in punting:
        assert isinstance(flow.actions[0], ApplyMeter)
        assert flow.actions[0].meter_id in meters


@every_service
def test_every_flow_is_ours_says_why_and_stands_in_our_tables(service: Service) -> None:
    own = {table.number for table in tables.PIPELINE if table.owner.startswith("gateway_lb")}
    own.add(tables.FORWARD.number)  # where the node agent's interface is
    for flow in everything(service).flows:
        assert flow.origin
        assert flow.table in own
        assert cookies.read(flow.cookie) is not None
        assert flow.idle_timeout == 0


def zones_of(rules: Rules) -> set[int]:
    cts = [action for flow in rules.flows for action in flow.actions if isinstance(action, Ct)]
    return {action.zone for action in cts}


def test_one_zone_for_a_switch_and_one_for_shared_ports() -> None:
    assert zones_of(everything(WEB, zone=41)) == {41}
    assert zones_of(everything(SERVICES["stateless"], zone=41)) == set()
    assert zones_of(everything(SERVICES["shared port"], zone=41)) == {41, origin_zone(41)}


def test_flows_and_a_group_grow_with_containers_as_agreed() -> None:
    """Two flows and a group a service; a container has two, and one more where it is placed."""
    for count in (0, 1, 5):
        placed = [Placed(replace(C1, id=f"c{n}", number=n + 2, port=n + 1)) for n in range(count)]
        rules = whole_service(WEB, placed, (2,) * 256 if count else (), 1)
        nobody = 0 if count else 1
        assert (len(rules.flows), len(rules.groups)) == (2 + nobody + 3 * count, 1)
        (address,) = {each.container.address for each in placed} or {C1.address}
        fronts = [front for each in placed for front in fronts_of(WEB, each.container)]
        assert len(host_rules(address, fronts, C1.mac, 1).flows) == 1 + 3 * count


def test_containers_of_two_services_at_one_address_do_not_meet() -> None:
    other = replace(WEB, name="api", port=81, number=5)
    twin = replace(C1, service="api", number=6, port=9090)
    rules = merged(
        [whole_service(WEB, [Placed(C1)], (), 1), whole_service(other, [Placed(twin)], (), 1)]
    )
    assert len({flow.key for flow in rules.flows}) == len(rules.flows)


@pytest.mark.parametrize("number", [1, MAX_NUMBER])
def test_every_number_fits_group_ids_and_cookies(number: int) -> None:
    service = replace(WEB, number=number)
    assert group_id(service) in GROUP_IDS
    read = cookies.read(whole_service(service, [], (), 1).flows[0].cookie)
    assert read == cookies.Cookie(Kind.SERVICE, number)


def test_a_container_is_forwarded_to_wherever_it_is() -> None:
    flows = whole_service(WEB, [Placed(C1), Placed(C2)], (), 1).flows
    endpoints = [flow for flow in flows if flow.table == tables.ENDPOINT.number]
    assert {flow.actions[-1] for flow in endpoints} == {Goto(tables.DESTINATION.number)}
