"""Explaining packets and flows: services with and without containers, capped, IPv6, stateless."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from nib.intent import Container, Service
from nib.mirror import Mirror
from nib.observed import Ejected, Report
from nib.records import Global, Record
from nib.topology import Port, Switch
from openflow.text import flow_text
from openflow.values import merged
from prewire.explaining.flow import explain_flow
from prewire.explaining.packet import ExplainedPacket, explain_packet
from ryu_apps.compile import compile_state
from tests.fabric_model import mirror_of

S1 = "00000000000000a1"
NOW = 1_000_000
SWITCH = Switch(S1, 1, "br0", connected=True)
WEB = Service("web", "10.0.0.100", 80, number=1)
WEB6 = Service("web6", "fd00::100", 80, number=2)
C1 = Container("web", "c1", "10.0.0.11", 80, "02:00:00:00:00:11", iface_id="c1", number=11)
C2 = replace(C1, id="c2", address="10.0.0.12", mac="02:00:00:00:00:12", iface_id="c2", number=12)
SIX = replace(C1, service="web6", address="fd00::11", number=13)
PACKET = "in_port=9,tcp,nw_src=10.0.0.1,nw_dst=10.0.0.100,tp_src=40000,tp_dst=80"
PACKET6 = "in_port=9,tcp6,ipv6_src=fd00::1,ipv6_dst=fd00::100,tp_src=40000,tp_dst=80"


def view(*rows: Record) -> Mirror:
    """These rows, the ports of c1 and c2, and slots as the controller deals them."""
    ports = [
        Port(S1, each.id, number, each.mac, each.id, each.mac)
        for number, each in enumerate((C1, C2), 1)
    ]
    return mirror_of((Global(), SWITCH, *ports, *rows))


def explained(mirror: Mirror, packet: str = PACKET) -> ExplainedPacket:
    return explain_packet(packet, SWITCH, mirror, NOW)


def standings(found: ExplainedPacket) -> dict[str, tuple[str, int]]:
    return {each.id: (each.state, each.slots) for each in found.containers}


def test_a_packet_to_a_vip_tells_how_the_containers_stand() -> None:
    found = explained(view(WEB, C1, C2, Report("web", "c2", word="drain")))
    assert standings(found) == {"c1": ("ready", 64), "c2": ("draining", 0)}
    assert found.containers[1].reason == "it reported drain"
    assert "c1 64/64" in found.choices[0]
    assert found.outputs[0].startswith("port 1 as")


@pytest.mark.parametrize("on_empty", ["reject", "hold"])
def test_a_service_without_a_container(on_empty: str) -> None:
    web = replace(WEB, on_empty=on_empty)
    found = explained(view(web, C1, Report("web", "c1", word="down")))
    assert found.outputs == (
        "to the controller: the service has no container that takes new connections",
    )
    assert found.choices == ("service web: no container takes new connections",)
    assert standings(found) == {"c1": ("down", 0)}


def test_a_capped_service() -> None:
    found = explained(view(replace(WEB, max_connections=5), C1))
    assert found.outputs == (
        "to the controller: a cap on connections: the controller admits each new one",
    )
    assert standings(found) == {"c1": ("ready", 64)}


def test_a_stateless_service() -> None:
    found = explained(view(replace(WEB, mode="stateless"), C1))
    assert found.outputs[0].startswith("port 1 as")
    assert standings(found) == {"c1": ("ready", 64)}


def test_ipv6() -> None:
    found = explained(view(WEB6, SIX), PACKET6)
    assert found.outputs[0].startswith("port 1 as")
    assert standings(found) == {"c1": ("ready", 64)}


def test_a_packet_to_no_vip_has_no_containers() -> None:
    other = "in_port=9,tcp,nw_src=10.0.0.1,nw_dst=10.0.0.99,tp_src=40000,tp_dst=80"
    found = explained(view(WEB, C1), other)
    assert found.containers == ()
    assert found.outputs[0].startswith("to the controller")


def test_every_flow_of_every_kind_of_service_has_an_owner() -> None:
    rows: tuple[Any, ...] = (
        WEB, C1, C2, WEB6, SIX,
        Service("none", "10.0.0.101", 80, number=3, on_empty="hold"),
        Service("capped", "10.0.0.102", 80, number=4, max_connections=5),
        Ejected("web", "c2", NOW + 5),
    )  # fmt: skip
    mirror = view(*rows)
    owners = set()
    for flow in merged(compile_state(mirror, SWITCH).values()).flows:
        found = explain_flow(flow_text(flow, "ovs"), SWITCH, mirror)
        assert found.wanted, flow
        owners.add(found.owner.partition(",")[0])
    assert {"base", "vip 10.0.0.100", "vip fd00::100", "host fd00::11", "service none",
            "container web6/c1"} <= owners  # fmt: skip
