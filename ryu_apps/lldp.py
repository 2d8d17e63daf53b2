"""Link probes: LLDP frames that prove by which port of which switch they were sent.

An ordinary LLDP frame (IEEE 802.1AB: chassis id, port id, time to live) with one organisationally
specific part, which has a sequence number and a signature: HMAC-SHA256, with a key that only this
controller has, over switch, port and sequence number. So nobody can make a probe, or alter one.
Whether a genuine one is still good where it arrives is for `ryu_apps.links`. Pure.

Must not know: which ports are probed, what arrival means.
"""

from __future__ import annotations

import hashlib
import hmac
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

ETH_LLDP: Final = 0x88CC
NEAREST_BRIDGE: Final = bytes.fromhex("0180c200000e")  # bridges do not pass it on (table 7-1)
KEY_BYTES: Final = 32

# Types of parts, and the subtype of ids that mean something to their sender only (clause 8.5).
_END, _CHASSIS, _PORT, _TTL, _SPECIFIC = 0, 1, 2, 3, 127
_OWN_NAMING: Final = b"\x07"
_LIFETIME_SECONDS: Final = 10
_ETHERNET_BYTES: Final = 14

# Locally administered, as the first bytes of the MAC address of VIPs.
_ORGANISATION: Final = bytes.fromhex("027077") + b"\x01"
_SIGNED: Final = struct.Struct("!Q32s")  # sequence number, signature
_MESSAGE: Final = struct.Struct("!QIQ")  # datapath id, port, sequence number
_PURPOSE: Final = b"prewire link probe\0"


@dataclass(frozen=True, slots=True)
class Probe:
    """What a probe says: the switch and port it was sent by, and which of its probes it is."""

    dpid: str
    port: int
    sequence: int


def probe_frame(probe: Probe, mac: str, key: bytes) -> bytes:
    """The signed frame. mac: its source, the port's own; sequence: below 2**64."""
    return b"".join(
        (
            NEAREST_BRIDGE,
            bytes.fromhex(mac.replace(":", "")),
            struct.pack("!H", ETH_LLDP),
            _part(_CHASSIS, _OWN_NAMING + probe.dpid.encode()),
            _part(_PORT, _OWN_NAMING + str(probe.port).encode()),
            _part(_TTL, struct.pack("!H", _LIFETIME_SECONDS)),
            _part(_SPECIFIC, _ORGANISATION + _SIGNED.pack(probe.sequence, _signature(probe, key))),
            _part(_END, b""),
        )
    )


def read(frame: bytes, key: bytes) -> Probe | str:
    """The probe in a frame, or why there is none.

    "foreign": LLDP of somebody else, or none at all; "forged": not signed with this key.
    """
    if frame[12:_ETHERNET_BYTES] != struct.pack("!H", ETH_LLDP):
        return "foreign"
    parts = list(_parts(frame[_ETHERNET_BYTES:]))
    if [kind for kind, _ in parts[:3]] != [_CHASSIS, _PORT, _TTL]:
        return "foreign"
    signed = [value for kind, value in parts[3:] if kind == _SPECIFIC and _is_ours(value)]
    if len(signed) != 1:
        return "foreign"
    sequence, signature = _SIGNED.unpack(signed[0][len(_ORGANISATION) :])
    probe = _named(parts[0][1], parts[1][1], sequence)
    if probe is None or not hmac.compare_digest(signature, _signature(probe, key)):
        return "forged"
    return probe


def _is_ours(value: bytes) -> bool:
    return value.startswith(_ORGANISATION) and len(value) == len(_ORGANISATION) + _SIGNED.size


def _named(chassis: bytes, port: bytes, sequence: int) -> Probe | None:
    """The probe of these ids; None where `probe_frame` would not write them so."""
    try:
        number = int(port[1:])
        _MESSAGE.pack(int(chassis[1:], 16), number, sequence)
        dpid = chassis[1:].decode()
    except (ValueError, struct.error):
        return None
    given = (_OWN_NAMING + dpid.encode(), _OWN_NAMING + str(number).encode())
    is_canonical = given == (chassis, port) and dpid == f"{int(dpid, 16):016x}"
    return Probe(dpid, number, sequence) if is_canonical else None


def _signature(probe: Probe, key: bytes) -> bytes:
    message = _MESSAGE.pack(int(probe.dpid, 16), probe.port, probe.sequence)
    return hmac.digest(key, _PURPOSE + message, hashlib.sha256)


def _part(kind: int, value: bytes) -> bytes:
    return struct.pack("!H", kind << 9 | len(value)) + value


def _parts(data: bytes) -> Iterator[tuple[int, bytes]]:
    """(type, value) of every part up to the end; what is cut off is left out."""
    at = 0
    while len(data) >= at + 2:
        (header,) = struct.unpack_from("!H", data, at)
        kind, length = header >> 9, header & 0x1FF
        at += 2
        if kind == _END or len(data) < at + length:
            return
        yield kind, data[at : at + length]
        at += length
