"""A VIP written by hand, as an engineer would with ovs-ofctl: as few flows as one service needs.

Two ways. `by_hand` is the cheapest one known that keeps established connections through a change:
conntrack remembers the container's number, flows rewrite. `by_nat` is the textbook's: conntrack
translates the address, as OVN does. Both know the one client by its port, look nothing up that one
service does not need, and leave ARP of hosts to a learning switch; neither answers pings, refuses
other ports, nor serves direct access, which prewire's flows do.
"""

from __future__ import annotations

from typing import Final

from benchmarks.peers import ct_nat
from benchmarks.sites.controlled import VIP
from benchmarks.sites.switch import Program
from topologies.spec import HostSpec, NetworkSpec

NAT_VIP: Final = ct_nat.VIP
_VIP_MAC: Final = "02:70:77:76:69:70"  # prewire's, so that the client's neighbour entry stays right
_ZONE: Final = 5
_GROUP: Final = 4
_CHOOSE, _REPLY, _COMMIT, _REWRITE = 1, 2, 3, 4
_HOSTS: Final = "table=0,priority=0,actions=NORMAL"


def by_hand(spec: NetworkSpec) -> Program:
    """The number of a container in conntrack's mark; a bucket and two flows for each."""
    numbered = tuple(enumerate(spec.containers, start=1))
    buckets = ",".join(
        f"bucket=actions=set_field:{number}->reg0,resubmit(,{_COMMIT})" for number, _ in numbered
    )
    to_vip = f"tcp,nw_dst={VIP},tp_dst=80"
    return Program(
        flows=(
            _HOSTS,
            f"table=0,priority=100,arp,arp_op=1,arp_tpa={VIP},actions="
            "move:NXM_OF_ETH_SRC[]->NXM_OF_ETH_DST[],"
            f"set_field:{_VIP_MAC}->eth_src,set_field:2->arp_op,"
            "move:NXM_NX_ARP_SHA[]->NXM_NX_ARP_THA[],"
            f"set_field:{_VIP_MAC}->arp_sha,move:NXM_OF_ARP_SPA[]->NXM_OF_ARP_TPA[],"
            f"set_field:{VIP}->arp_spa,in_port",
            f"table=0,priority=60,{to_vip},actions=ct(zone={_ZONE},table={_CHOOSE})",
            f"table={_CHOOSE},priority=150,ct_state=+new+trk,{to_vip},actions=group:{_GROUP}",
            f"table={_CHOOSE},priority=150,ct_state=+est+trk,tcp,"
            f"actions=move:NXM_NX_CT_MARK[]->NXM_NX_REG0[],resubmit(,{_REWRITE})",
            f"table={_COMMIT},priority=10,tcp,actions=ct(commit,zone={_ZONE},"
            f"exec(move:NXM_NX_REG0[]->NXM_NX_CT_MARK[])),resubmit(,{_REWRITE})",
            *(flow for number, host in numbered for flow in _container(spec, number, host)),
            f"table={_REPLY},priority=10,tcp,nw_dst={spec.client.address},"
            f"actions=set_field:{spec.client.mac}->eth_dst,output:{_port(spec, spec.client)}",
        ),
        groups=(f"group_id={_GROUP},type=select,{buckets}",),
    )


def by_nat(spec: NetworkSpec) -> Program:
    """`ct(nat)` for a VIP of its own."""
    return Program((_HOSTS, *ct_nat.flows(spec)), (ct_nat.group(spec),))


def _container(spec: NetworkSpec, number: int, host: HostSpec) -> tuple[str, str]:
    return (
        f"table={_REWRITE},priority=150,reg0={number},tcp,actions=set_field:{host.address}->ip_dst,"
        f"set_field:{host.http_port}->tcp_dst,set_field:{host.mac}->eth_dst,"
        f"output:{_port(spec, host)}",
        f"table=0,priority=60,tcp,nw_src={host.address},tp_src={host.http_port},actions="
        f"set_field:{VIP}->ip_src,set_field:80->tcp_src,ct(zone={_ZONE},table={_REPLY})",
    )


def _port(spec: NetworkSpec, host: HostSpec) -> int:
    return spec.switch_port(host.name)[1]
