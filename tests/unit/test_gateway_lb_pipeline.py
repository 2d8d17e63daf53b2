"""How the rules of services are built; what they do to packets is in tests/property."""

from __future__ import annotations

from dataclasses import replace

import pytest

from gateway_lb.pipeline import (
    Placed,
    base_rules,
    group_id,
    host_rules,
    service_rules,
    vip_rules,
)
from nib.fields import MAX_NUMBER
from nib.records import Container, Service
from openflow import cookies, tables
from openflow.cookies import GROUP_IDS, Kind
from openflow.values import Ct, Flow, Goto, Resubmit, Rules, merged

WEB = Service("web", "10.0.0.100", 80, number=1)
C1 = Container("web", "c1", "10.0.1.1", 8080, "02:00:00:00:00:11", iface_id="pod-1", number=2)
C2 = replace(C1, id="c2", address="10.0.1.2", number=3)
SERVICES = [WEB, replace(WEB, name="dns", protocol="udp", number=9)]


def everything(service: Service, zone: int = 7) -> Rules:
    placed = [Placed(C1, 1), Placed(C2, None)]
    parts = [base_rules(), vip_rules(service.vip), host_rules(C1.address, C1.mac)]
    return merged([*parts, service_rules(service, placed, (2, 3) * 32, zone)])


def leads_to(flow: Flow) -> list[int]:
    numbers = [getattr(action, "table", None) for action in flow.actions]
    return [number for number in numbers if number is not None]


@pytest.mark.parametrize("service", SERVICES, ids=lambda service: service.protocol)
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


@pytest.mark.parametrize("service", SERVICES, ids=lambda service: service.protocol)
def test_every_flow_is_ours_says_why_and_stands_in_our_tables(service: Service) -> None:
    own = {table.number for table in tables.PIPELINE if table.owner == "gateway_lb.pipeline"}
    for flow in everything(service).flows:
        assert flow.origin
        assert flow.table in own
        assert cookies.read(flow.cookie) is not None
        assert flow.idle_timeout == 0


def test_one_zone_for_a_switch() -> None:
    zones = {
        action.zone
        for flow in everything(WEB, zone=41).flows
        for action in flow.actions
        if isinstance(action, Ct)
    }
    assert zones == {41}


def test_flows_and_a_group_grow_with_containers_as_agreed() -> None:
    """Two flows and a group a service, three flows a container, whatever the slots."""
    for count in (0, 1, 5):
        placed = [
            Placed(replace(C1, id=f"c{n}", number=n + 2, port=n + 1), n) for n in range(count)
        ]
        rules = service_rules(WEB, placed, (2,) * 256 if count else (), 1)
        assert (len(rules.flows), len(rules.groups)) == (2 + 3 * count, 1)


def test_containers_of_two_services_at_one_address_do_not_meet() -> None:
    other = replace(WEB, name="api", port=81, number=5)
    twin = replace(C1, service="api", number=6, port=9090)
    rules = merged(
        [service_rules(WEB, [Placed(C1, 1)], (), 1), service_rules(other, [Placed(twin, 1)], (), 1)]
    )
    assert len({flow.key for flow in rules.flows}) == len(rules.flows)


@pytest.mark.parametrize("number", [1, MAX_NUMBER])
def test_every_number_fits_group_ids_and_cookies(number: int) -> None:
    service = replace(WEB, number=number)
    assert group_id(service) in GROUP_IDS
    read = cookies.read(service_rules(service, [], (), 1).flows[0].cookie)
    assert read == cookies.Cookie(Kind.SERVICE, number)


def test_a_container_here_is_sent_to_its_port_and_one_elsewhere_forwarded() -> None:
    flows = service_rules(WEB, [Placed(C1, 1), Placed(C2, None)], (), 1).flows
    here, there = (flow for flow in flows if flow.table == tables.ENDPOINT.number)
    assert here.actions[-1] == Goto(tables.OUTPUT.number)
    assert there.actions[-1] == Goto(tables.FORWARD.number)
