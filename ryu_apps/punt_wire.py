"""Packet-outs: a frame, and what a switch is to do with it.

Must not know: what is in the frame.
"""

from __future__ import annotations

import struct
from typing import Final

from openflow.values import Action
from ryu_apps.flow_writer import action_bytes
from ryu_apps.framework import ofproto

# A packet-out's in_port where the frame is the controller's own.
CONTROLLER: Final[int] = ofproto.OFPP_CONTROLLER

# An output there begins with the first table.
TABLE: Final[int] = ofproto.OFPP_TABLE

_HEADER: Final = struct.Struct("!BBHIIIH6x")


def packet_out(frame: bytes, in_port: int, actions: tuple[Action, ...], xid: int) -> bytes:
    """Have the switch run a frame, as if it had come by in_port, through actions."""
    encoded = b"".join(map(action_bytes, actions))
    length = _HEADER.size + len(encoded) + len(frame)
    header = _HEADER.pack(
        ofproto.OFP_VERSION,
        ofproto.OFPT_PACKET_OUT,
        length,
        xid,
        ofproto.OFP_NO_BUFFER,
        in_port,
        len(encoded),
    )
    return header + encoded + frame
