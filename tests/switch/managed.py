"""A bridge that tests program through its management socket, and what is tried on it."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from hypothesis import HealthCheck, settings

from nib.intent import Service
from nib.mirror import Mirror, RowChange
from nib.topology import Switch
from openflow.values import Rules
from ryu_apps.compile import compile_state
from ryu_apps.dealing import next_slots
from ryu_apps.units import Unit
from tests.nib_strategies import HERE, Database
from tests.ovs import OvsError, PrivateOvs

BRIDGE = "br0"

# Hypothesis makes few examples of many values: it is values that are to be new to the switch.
BATCHES = settings(
    max_examples=8,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)

# Flows that are not prewire's, with what its own values cannot say.
FOREIGN_FLOWS = (
    "table=0,priority=1,actions=learn(table=1,hard_timeout=5,NXM_OF_ETH_DST[]=NXM_OF_ETH_SRC[])",
    "table=0,priority=2,actions=write_actions(output:1)",
    "table=0,priority=3,actions=write_metadata:7,goto_table:1",
    "table=0,priority=4,actions=clear_actions",
    "table=0,priority=5,ip,actions=dec_ttl,output:1",
    "table=0,priority=6,vlan_tci=0x1007/0x1fff,actions=strip_vlan,output:1",
    "table=0,priority=7,actions=push_vlan:0x8100,set_field:4097->vlan_vid,output:1",
    "table=0,priority=8,actions=resubmit(1,7)",
    "table=0,priority=9,actions=multipath(eth_src,50,modulo_n,4,0,NXM_NX_REG0[])",
    "table=0,priority=10,actions=bundle(eth_src,0,hrw,ofport,members:1,2)",
    "table=0,priority=11,actions=note:01.02.03",
    "table=0,priority=12,actions=controller(max_len=64,userdata=01.02)",
    "table=0,priority=13,tcp,actions=ct(commit,alg=ftp,table=1)",
    "table=0,priority=14,ip,actions=ct(zone=NXM_NX_REG0[0..15])",
    "table=0,priority=15,actions=check_pkt_larger(1500)->NXM_NX_REG0[0]",
    "table=0,priority=16,actions=push:NXM_NX_REG0[],pop:NXM_NX_REG1[]",
    "table=0,priority=17,conj_id=7,actions=drop",
    "table=0,priority=18,tun_id=5,actions=set_field:6->tun_id,output:2",
    "table=0,priority=19,xreg0=0x100000002,actions=drop",
    "table=0,priority=20,ip,actions=ct(commit,nat(src=10.0.0.1-10.0.0.9:1000-2000))",
    "table=0,priority=21,ip,actions=ct(commit,nat(src=10.0.0.1,random))",
    "table=0,priority=22,ip,actions=ct(commit,force,table=1)",
    "table=0,priority=23,icmp6,actions=drop",
    "table=0,priority=24,mpls,actions=pop_mpls:0x800,output:1",
    "table=0,priority=25,actions=sample(probability=1,collector_set_id=1)",
    "table=0,priority=26,actions=clone(output:1)",
    "table=0,priority=27,tcp,actions=fin_timeout(idle_timeout=5),output:1",
    "table=0,priority=28,actions=output(port=1,max_len=100)",
    "table=0,priority=29,in_port=LOCAL,actions=move:NXM_OF_VLAN_TCI[]->NXM_NX_REG0[0..15]",
    "table=0,priority=30,hard_timeout=3000,actions=output:1",
    "table=0,priority=31,actions=enqueue:1:2",
    "table=0,priority=32,send_flow_rem,actions=output:1",
    "table=0,priority=33,ipv6,actions=ct(commit,nat(src=2001:db8::1))",
)


def empty(ovs: PrivateOvs) -> None:
    """No flow, group or meter is left, whoever put it there."""
    for what in ("del-flows", "del-groups", "del-meters"):
        ovs.ofctl(what, BRIDGE)


def takes(ovs: PrivateOvs, flow: str) -> bool:
    """Whether this version of Open vSwitch has all that the flow needs."""
    file: Path = ovs.directory / "flow.txt"
    file.write_text(f"{flow}\n")
    try:
        ovs.ofctl("add-flows", BRIDGE, str(file))
    except OvsError:
        return False
    return True


def moment(database: Database) -> Mapping[Unit, Rules]:
    """What the switch HERE needs, with slots dealt to every service."""
    view: Mirror = database.mirror
    for service in view.all(Service):
        view.apply(RowChange(None, next_slots(service.name, view)))
    return compile_state(view, view.need(Switch, HERE))
