"""A VIP by `ct(nat)`, as OVN's load balancers work, written by hand beside prewire's pipeline.

Must not know: who puts them on a bridge.
"""

from __future__ import annotations

from typing import Final

from topologies.spec import HostSpec, NetworkSpec

VIP: Final = "10.0.0.200"
_VIP_MAC: Final = "02:70:77:00:02:00"
_GROUP: Final = 1
_ZONE: Final = 60000
_NEW, _OUT, _BACK = 200, 201, 202


def group(spec: NetworkSpec) -> str:
    """A bucket a container, which commits the connection and translates its destination."""
    buckets = [
        f"bucket=weight:100,actions=ct(commit,table={_OUT},zone={_ZONE},"
        f"nat(dst={host.address}:{host.http_port}))"
        for host in spec.containers
    ]
    return f"group_id={_GROUP},type=select,{','.join(buckets)}"


def flows(spec: NetworkSpec) -> list[str]:
    """One flow a line of ovs-ofctl."""
    first = "table=0,priority=1000"
    return [
        f"{first},arp,arp_op=1,arp_tpa={VIP},actions=move:NXM_OF_ETH_SRC[]->NXM_OF_ETH_DST[],"
        f"set_field:{_VIP_MAC}->eth_src,set_field:2->arp_op,"
        "move:NXM_NX_ARP_SHA[]->NXM_NX_ARP_THA[],"
        f"set_field:{_VIP_MAC}->arp_sha,move:NXM_OF_ARP_SPA[]->NXM_OF_ARP_TPA[],"
        f"set_field:{VIP}->arp_spa,in_port",
        f"{first},tcp,nw_dst={VIP},tp_dst=80,actions=ct(table={_NEW},zone={_ZONE},nat)",
        f"table={_NEW},priority=100,ct_state=+new+trk,tcp,actions=group:{_GROUP}",
        f"table={_NEW},priority=100,ct_state=+est+trk,tcp,actions=resubmit(,{_OUT})",
        *(flow for host in spec.containers for flow in _container_flows(spec, host, first)),
        f"table={_BACK},priority=100,tcp,actions="
        f"set_field:{_VIP_MAC}->eth_src,set_field:{spec.client.mac}->eth_dst,"
        f"output:{spec.switch_port(spec.client.name)[1]}",
    ]


def _container_flows(spec: NetworkSpec, host: HostSpec, first: str) -> tuple[str, str]:
    _, port = spec.switch_port(host.name)
    return (
        f"table={_OUT},priority=100,tcp,nw_dst={host.address},"
        f"actions=set_field:{host.mac}->eth_dst,output:{port}",
        f"{first},tcp,nw_src={host.address},tp_src={host.http_port},"
        f"actions=ct(table={_BACK},zone={_ZONE},nat)",
    )
