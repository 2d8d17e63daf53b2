"""What makes the containers ports of OVN's switch.

They are nested ports: a parent and a VLAN tag. OVN has many containers behind one port so; they are
bound with their parent, without an interface of their own, and have all the flows of a port: in by
the tag, the answer to ARP, the lookup of the MAC address, the way out, the router's neighbour.
Without port security: it would add 19 flows to each, which drop packets that prewire does not.
"""

from __future__ import annotations

import json
from typing import Final

from benchmarks.peers.ovn_daemons import Daemons
from benchmarks.sites.many import CONTAINERS, backend, mac
from benchmarks.sites.site import until
from topologies.processes import run

BEHIND_ONE: Final = 25
"""Containers behind a parent. Binding costs ovn-controller by the square of it."""


def parents(services: int) -> int:
    """How many parents the containers of so many services have."""
    return -(-services * CONTAINERS // BEHIND_ONE)


def add_interfaces(daemons: Daemons, count: int) -> None:
    """Those of the parents. They are patch ports, which the switch does not poll."""
    command: list[str] = []
    for number in range(count):
        name = _parent(number)
        command += ["--", "add-port", "br-int", name, "--", "set", "Interface", name, "type=patch"]
        command += [f"options:peer={name}-peer", f"external_ids:iface-id={name}"]
    daemons.run("ovs-vsctl", "--timeout=60", f"--db={daemons.socket('db.sock')}", *command)


def parents_added(count: int) -> list[str]:
    """For ovn-nbctl: the parents' own ports, without an address."""
    words = [word for number in range(count) for word in ("--", "lsp-add", "sw", _parent(number))]
    return words[1:]


def added(services: range) -> list[str]:
    """For ovn-nbctl: all containers of these services."""
    command: list[str] = []
    names = []
    for service in services:
        for number in range(CONTAINERS):
            name = f"nested-{service}-{number}"
            names.append(f"@{name}")
            place = service * CONTAINERS + number
            command += [f"--id=@{name}", "create", "Logical_Switch_Port", f"name={name}"]
            command += [f"parent_name={_parent(place // BEHIND_ONE)}"]
            command += [f"tag_request={1 + place % BEHIND_ONE}"]
            command += [f'addresses="{mac(service, number)} {backend(service, number)}"', "--"]
    return [*command, "add", "Logical_Switch", "sw", "ports", *names]


def bind(daemons: Daemons, chassis: str) -> None:
    """All ports are bound to the chassis, and up, as ovn-controller would write it."""
    chassis_id = daemons.run("ovn-sbctl", "get", "Chassis", chassis, "_uuid").strip()
    row = {"chassis": ["uuid", chassis_id], "up": True}
    update = {"op": "update", "table": "Port_Binding", "where": [["type", "==", ""]], "row": row}
    words = json.dumps(["OVN_Southbound", update])
    daemons.run("ovsdb-client", "transact", daemons.socket("ovnsb_db.sock"), words)


def await_zones(daemons: Daemons, count: int, timeout_s: float) -> None:
    """Return when ovn-controller has given so many containers conntrack zones.

    It goes on port by port for long; started again after this, it takes all at once.
    """
    database = f"--db={daemons.socket('db.sock')}"

    def given() -> bool:
        told = daemons.run("ovs-vsctl", database, "br-get-external-id", "br-int")
        return told.count("ct-zone-nested") == count

    until(given, f"OVN has {count} ports' conntrack zones", timeout_s, pause_s=1.0)


def bound(bridge: str) -> int:
    """How many containers' packets a bridge takes in by their tag."""
    text = run(["ovs-ofctl", "-O", "OpenFlow13", "--no-stats", "dump-flows", bridge, "table=0"])
    return text.count("dl_vlan=")


def _parent(number: int) -> str:
    return f"vm{number}"
