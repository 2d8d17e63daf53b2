"""Ports of switches as database rows: what OpenFlow and the switch's own database say, joined.

OpenFlow knows a port's number, address, state and speed; the switch's database knows its iface-id
and attached-mac. Pure: values in, rows out.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from nib.records import Port
from ryu_apps.framework import ofproto, port_name


@dataclass(frozen=True, slots=True)
class Attachment:
    """What an Interface row says of who is behind it; None: it does not say."""

    iface_id: str | None = None
    attached_mac: str | None = None


# (datapath id, port name) -> attachment
Attachments = Mapping[tuple[str, str], Attachment]

_NOTHING = Attachment()


def described(dpid: str, port: Any, attachments: Attachments) -> Port:
    """The row of a port. port: an entry of a port description reply or status message."""
    name = port_name(port)
    attachment = attachments.get((dpid, name), _NOTHING)
    return Port(
        switch=dpid,
        name=name,
        number=port.port_no,
        mac=port.hw_addr,
        iface_id=attachment.iface_id,
        attached_mac=attachment.attached_mac,
        up=not port.state & ofproto.OFPPS_LINK_DOWN and not port.config & ofproto.OFPPC_PORT_DOWN,
        speed_bps=port.curr_speed * 1000,
    )


def attachments_of(bridges: Iterable[Any]) -> dict[tuple[str, str], Attachment]:
    """Attachments by port, from the Bridge rows of a switch's own database."""
    found = {}
    for bridge in bridges:
        for dpid in bridge.datapath_id:
            for port in bridge.ports:
                for interface in port.interfaces:
                    ids = interface.external_ids
                    attachment = Attachment(ids.get("iface-id"), ids.get("attached-mac"))
                    if attachment != _NOTHING:
                        found[dpid, interface.name] = attachment
    return found
