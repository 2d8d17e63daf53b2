"""Messages about the connection itself: which role it has, and whether the switch still answers.

Must not know: which role is due.
"""

from __future__ import annotations

import struct
from typing import Final

from ryu_apps.framework import ofproto

_HEADER: Final = struct.Struct("!BBHI")
_ROLE: Final = struct.Struct("!BBHII4xQ")


def role_request(xid: int, role: int, epoch: int) -> bytes:
    """Ask for a role (ofp_controller_role), with the epoch as generation id.

    The switch refuses the epoch where it knows a later one.
    """
    kind = ofproto.OFPT_ROLE_REQUEST
    return _ROLE.pack(ofproto.OFP_VERSION, kind, _ROLE.size, xid, role, epoch)


def echo_request(xid: int) -> bytes:
    """Ask whether the switch is there."""
    return _HEADER.pack(ofproto.OFP_VERSION, ofproto.OFPT_ECHO_REQUEST, _HEADER.size, xid)
