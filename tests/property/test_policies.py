"""Every packet is governed by exactly one policy, once, and keeps its class on all its way.

Through whole fabrics by the interpreter: directly, to a VIP, and back from it.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import permutations

from hypothesis import given
from hypothesis import strategies as st

from gateway_lb.neighbours import VIP_MAC
from nib.intent import Container, Service
from nib.mirror import Mirror, RowChange
from nib.qos import Policy, PolicyShare
from nib.records import Record, SlotTable
from nib.topology import Switch
from openflow.fields import IPV4
from openflow.network import Journey, Network
from openflow.packet import ACK, SYN, SYN_ACK, Packet, tcp
from qos.classes import DEFAULT, PRESETS
from qos.pipeline import bit_meter
from tests import fabric_model
from tests.fabric_model import fabrics, place_of
from tests.nib_strategies import examples
from topologies.spec import HostSpec, NetworkSpec

ORDERS = Service("orders", "10.0.0.100", 80, number=1)
STOCK = Service("stock", "10.0.0.101", 80, number=2)
_ENDS = (None, "orders", "stock")


@dataclass(frozen=True)
class Site:
    """A fabric whose containers are of two services in turn; policies have meters everywhere."""

    spec: NetworkSpec
    view: Mirror
    net: Network

    def service_of(self, host: HostSpec) -> str | None:
        return next(
            (each.service for each in self.view.all(Container) if each.id == host.name), None
        )

    def governing(self, source: HostSpec, target: HostSpec) -> Policy | None:
        """The policy of the pair, else of the destination, else of the source."""
        one, other = self.service_of(source), self.service_of(target)
        ways = ((one, other), (None, other), (one, None))
        found = (self.view.policy_between(*ends) for ends in ways if ends != (None, None))
        return next((policy for policy in found if policy is not None), None)

    def check(self, journey: Journey, source: HostSpec, target: HostSpec) -> Packet:
        """It arrived, policed once where it came in, and is of its class in every queue."""
        (end,) = journey.of("delivered")
        assert not journey.errors
        assert end.place == place_of(self.spec, target.name)
        policy = self.governing(source, target)
        wanted = PRESETS[DEFAULT if policy is None else policy.qos_class]
        assert end.packet["ip_dscp"] == wanted.dscp
        crossed = [sent for hop in journey.hops for sent in hop.result.outputs]
        assert [sent.queue for sent in crossed] == [wanted.queue] * len(crossed)
        meters = [meter for sent in crossed for meter in sent.meters]
        assert meters == ([] if policy is None else [bit_meter(policy.number)])
        assert journey.hops[0].result.outputs[0].meters == tuple(meters)
        return end.packet


@st.composite
def policy_sets(draw: st.DrawFn) -> list[Policy]:
    ends = [(a, b) for a in _ENDS for b in _ENDS if (a, b) != (None, None)]
    chosen = draw(st.lists(st.sampled_from(ends), min_size=1, unique=True))
    return [
        Policy(f"p{number}", *pair, draw(st.sampled_from(sorted(PRESETS))), number=number)
        for number, pair in enumerate(chosen, start=1)
    ]


@st.composite
def sites(draw: st.DrawFn) -> Site:
    spec = draw(fabrics(5, containers=2))
    names = [host.name for host in spec.containers]
    rows: list[Record] = [*fabric_model.infrastructure(spec), *fabric_model.learned(spec)]
    rows += [ORDERS, *fabric_model.containers(spec, ORDERS, names[::2])]
    rows += [STOCK, *fabric_model.containers(spec, STOCK, names[1::2], 200)]
    policies = draw(policy_sets())
    view = fabric_model.mirror_of([*rows, *policies])
    for switch in view.all(Switch):
        for policy in policies:
            view.apply(RowChange(None, PolicyShare(policy.name, switch.dpid, 1_000_000)))
    return Site(spec, view, fabric_model.fabric(spec, fabric_model.compiled(view)))


def sent_by(source: HostSpec, address: str, mac: str, port: int = 80, **more: int) -> Packet:
    return tcp(
        eth_src=source.mac,
        eth_dst=mac,
        ip_src=source.address,
        ip_dst=address,
        tcp_src=more.pop("tcp_src", 40_000),
        tcp_dst=port,
        **more,
    )


@given(sites(), st.data())
@examples(0.2)
def test_direct_traffic_is_policed_once_by_one_policy(site: Site, data: st.DataObject) -> None:
    """Whatever mark it comes with."""
    pairs = list(permutations(site.spec.hosts, 2))
    source, target = data.draw(st.sampled_from(pairs))
    assert target.address is not None
    asked = sent_by(source, target.address, target.mac, 9999, ip_dscp=data.draw(st.integers(0, 63)))
    site.check(site.net.send(place_of(site.spec, source.name), asked), source, target)


@given(sites(), st.data())
@examples(0.2)
def test_connections_to_a_vip_are_policed_both_ways(site: Site, data: st.DataObject) -> None:
    """There by the policy to the container's service, back by that of its replies."""
    source = data.draw(st.sampled_from(site.spec.hosts))
    chosen = data.draw(
        st.sampled_from(sorted(site.view.all(Container), key=lambda each: each.number)).filter(
            lambda each: each.id != source.name
        )
    )
    service = site.view.need(Service, chosen.service)
    table = SlotTable(service.name, (chosen.number,) * 64)
    site.view.apply(RowChange(site.view.get(SlotTable, service.name), table))
    net = fabric_model.fabric(site.spec, fabric_model.compiled(site.view))
    target, edge = site.spec.host(chosen.id), place_of(site.spec, source.name)
    for flags, answer in ((SYN, SYN_ACK), (ACK, ACK)):
        journey = net.send(edge, sent_by(source, service.vip, VIP_MAC, tcp_flags=flags))
        seen, net = site.check(journey, source, target), journey.network
        assert IPV4.show(seen["ip_dst"]) == chosen.address
        assert source.address is not None
        back = sent_by(
            target,
            source.address,
            source.mac,
            seen["tcp_src"],
            tcp_src=chosen.port,
            tcp_flags=answer,
        )
        back = back.having(eth_dst=seen["eth_src"])
        journey = net.send(place_of(site.spec, target.name), back)
        heard, net = site.check(journey, target, source), journey.network
        assert IPV4.show(heard["ip_src"]) == service.vip


@given(fabrics(3, containers=2))
@examples(0.1)
def test_without_a_policy_nothing_is_marked(spec: NetworkSpec) -> None:
    rows: list[Record] = [*fabric_model.infrastructure(spec), *fabric_model.learned(spec)]
    rows += [ORDERS, *fabric_model.containers(spec, ORDERS)]
    net = fabric_model.fabric(spec, fabric_model.compiled(fabric_model.mirror_of(rows)))
    source, target = spec.hosts[0], spec.hosts[-1]
    assert target.address is not None
    asked = sent_by(source, target.address, target.mac, ip_dscp=17)
    (end,) = net.send(place_of(spec, source.name), asked).of("delivered")
    assert end.packet["ip_dscp"] == 17
    assert end.sent is not None
    assert end.sent.queue == 0
