"""Ports of switches as database rows: what OpenFlow and the switch's own database say, joined.

OpenFlow knows a port's number, address, state and speed; the switch's database knows its iface-id
and attached-mac. Pure: values in, rows out.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace
from typing import Any

from nib.draft import Draft
from nib.errors import FieldError
from nib.fields import check_text
from nib.topology import Port
from ryu_apps.attachments import Attachment, Attachments
from ryu_apps.framework import ofproto, port_name

_LONGEST_NAME = 63

_NOTHING = Attachment()


def is_up(port: Any) -> bool:
    """Whether a port can carry traffic: not switched off, and its link is there."""
    return not (port.state & ofproto.OFPPS_LINK_DOWN or port.config & ofproto.OFPPC_PORT_DOWN)


def described(dpid: str, port: Any, attachments: Attachments) -> Port | None:
    """The row of a port; None for one that no row can name, such as by a control character.

    port: an entry of a port description reply or status message.
    """
    name = port_name(port)
    attachment = attachments.get((dpid, name), _NOTHING)
    try:
        check_text("name", name, _LONGEST_NAME)
    except FieldError:
        return None
    return Port(
        switch=dpid,
        name=name,
        number=port.port_no,
        mac=port.hw_addr,
        iface_id=attachment.iface_id,
        attached_mac=attachment.attached_mac,
        up=is_up(port),
        speed_bps=port.curr_speed * 1000,
    )


def ports_are(
    dpid: str, ports: Iterable[Port], *, may_be_said: bool = False
) -> Callable[[Draft], object]:
    """The switch has these ports and no others.

    may_be_said: its own database was not heard yet, so what the rows had of it stays; else all
    containers would lose their places whenever a controller starts.
    """
    rows = {port.name: port for port in ports}

    def change(draft: Draft) -> object:
        for known in draft.ports_of(dpid):
            if known.name not in rows:
                draft.delete(Port, known.key)
        for port in rows.values():
            known_port = draft.get(Port, port.key) if may_be_said else None
            draft.put(port if known_port is None else _as_said(port, known_port))
        return None

    return change


def _as_said(port: Port, known: Port) -> Port:
    """With what was said of the port before, where nothing is said now."""
    if port.iface_id is not None or port.attached_mac is not None:
        return port
    return replace(port, iface_id=known.iface_id, attached_mac=known.attached_mac)
