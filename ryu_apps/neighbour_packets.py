"""What ARP packets and neighbour discovery say: who speaks, and whom it is looking for.

Reads whole Ethernet frames; what is malformed, tagged or of another kind is None (RFC 826, RFC
5227, RFC 4861 section 7.1). Pure.

Must not know: who may say what (`ryu_apps.hosts`).
"""

from __future__ import annotations

import ipaddress
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from openflow.fields import (
    ARP_REPLY,
    ARP_REQUEST,
    ETH_ARP,
    ETH_IPV6,
    ND_ADVERTISEMENT,
    ND_SOLICITATION,
    PROTO_ICMPV6,
)

_ETHERNET_BYTES: Final = 14
_ARP: Final = struct.Struct("!HHBBH6s4s6s4s")
_ETHERNET, _IPV4 = 1, 0x0800
_IPV6: Final = struct.Struct("!IHBB16s16s")
_ND: Final = struct.Struct("!BBHI16s")
_HOPS: Final = 255  # of a packet that no router has passed on
# The option that names a MAC address: the source's, the target's.
_LINK_OPTION: Final = {ND_SOLICITATION: 1, ND_ADVERTISEMENT: 2}
_OPTION_UNIT: Final = 8


@dataclass(frozen=True, slots=True)
class Spoken:
    """mac: who sent the frame; address: what it says is its address, "" for none yet.

    looks_for: the address it asks for, "" where it asks for none but its own. is_consistent:
    whether the packet names the MAC address of the frame.
    """

    mac: str
    address: str
    looks_for: str = ""
    is_consistent: bool = True


def read(frame: bytes) -> Spoken | None:
    """What a frame says; None where it says nothing of the kind."""
    if len(frame) < _ETHERNET_BYTES or frame[6] & 1 or not any(frame[6:12]):
        return None
    (kind,) = struct.unpack_from("!H", frame, 12)
    if kind == ETH_ARP:
        return _arp(frame)
    if kind == ETH_IPV6:
        return _neighbour_discovery(frame)
    return None


def mac_text(mac: bytes) -> str:
    """Six bytes as the database writes them."""
    return mac.hex(":")


def is_station(mac: bytes) -> bool:
    """Whether this is the address of one station, and not of a group or of nobody."""
    return not mac[0] & 1 and any(mac)


def _arp(frame: bytes) -> Spoken | None:
    if len(frame) < _ETHERNET_BYTES + _ARP.size:
        return None
    found = _ARP.unpack_from(frame, _ETHERNET_BYTES)
    hardware, protocol, hardware_bytes, protocol_bytes, operation, sender, own, _, target = found
    if (hardware, protocol, hardware_bytes, protocol_bytes) != (_ETHERNET, _IPV4, 6, 4):
        return None
    if operation not in (ARP_REQUEST, ARP_REPLY):
        return None
    address = _address(own)
    if address is None:
        return None
    asks = operation == ARP_REQUEST and address and own != target
    is_consistent = sender == frame[6:12]
    return Spoken(mac_text(frame[6:12]), address, _host(target) if asks else "", is_consistent)


def _neighbour_discovery(frame: bytes) -> Spoken | None:
    data = frame[_ETHERNET_BYTES:]
    if len(data) < _IPV6.size + _ND.size:
        return None
    _, length, protocol, hops, source, _ = _IPV6.unpack_from(data)
    message = data[_IPV6.size : _IPV6.size + length]
    if protocol != PROTO_ICMPV6 or hops != _HOPS or not _ND.size <= length == len(message):
        return None
    kind, code, _, _, target = _ND.unpack_from(message)
    if kind not in _LINK_OPTION or code != 0:
        return None
    named = [mac for option, mac in _options(message) if option == _LINK_OPTION[kind]]
    is_consistent = all(mac == frame[6:12] for mac in named)
    address = _address(target if kind == ND_ADVERTISEMENT else source)
    if address is None or (kind == ND_ADVERTISEMENT and not address):
        return None
    asks = kind == ND_SOLICITATION and address and source != target
    return Spoken(mac_text(frame[6:12]), address, _host(target) if asks else "", is_consistent)


def _options(message: bytes) -> Iterator[tuple[int, bytes]]:
    """(type, MAC address) of the options that have room for one; ends where one has no length."""
    at = _ND.size
    while len(message) >= at + _OPTION_UNIT and message[at + 1]:
        size = message[at + 1] * _OPTION_UNIT
        yield message[at], message[at + 2 : at + _OPTION_UNIT]
        at += size


def _address(packed: bytes) -> str | None:
    """An address as the database writes it, "" for the unspecified one; None: not a host's."""
    address = ipaddress.ip_address(packed)
    if address.is_unspecified:
        return ""
    if address.is_multicast or address.is_loopback or packed == b"\xff" * 4:
        return None
    return str(address)


def _host(packed: bytes) -> str:
    """An address that may be looked for; "" for any other."""
    return _address(packed) or ""
