"""What a field of a record may hold.

Owns: one check for each kind of value (name, address, MAC, port, ...), each raising FieldError with
a remedy.
Must not know: which record uses a check, or how a value is stored.

Values are refused, never mended: the same text always means the same thing in every process.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Collection
from functools import lru_cache
from typing import TypeAlias

from nib.errors import FieldError

MAX_NUMBER = 2**28 - 1  # of services and containers: a group id has room for 28 bits of ours
MAX_PORT_NUMBER = 2**32 - 1
MAX_INTEGER = 2**63 - 1

_NAME = re.compile(r"[a-z0-9]([a-z0-9._-]{0,61}[a-z0-9])?")
_DPID = re.compile(r"[0-9a-f]{16}")
_MAC = re.compile(r"[0-9a-f]{2}(:[0-9a-f]{2}){5}")
_DATABASE = re.compile(r"[0-9a-f]{8}")
_EVERYONE = "255.255.255.255"

IPAddress: TypeAlias = ipaddress.IPv4Address | ipaddress.IPv6Address


def check_text(field: str, value: object, longest: int = 255, *, shortest: int = 1) -> str:
    """A string of printable characters, `shortest` to `longest` of them."""
    if not isinstance(value, str):
        raise FieldError(field, f"{value!r} is not text", "give a string")
    if not shortest <= len(value) <= longest:
        raise FieldError(
            field,
            f"has {len(value)} characters",
            f"give {shortest} to {longest} characters",
        )
    if not value.isprintable():
        raise FieldError(field, "holds a control character", "use printable characters only")
    return value


def check_name(field: str, value: object) -> str:
    """A name or id: 1 to 63 of a-z 0-9 '-' '.' '_', a letter or digit at both ends."""
    if not isinstance(value, str) or not _NAME.fullmatch(value):
        raise FieldError(
            field,
            f"{value!r} is not a name",
            "use 1 to 63 lower case letters, digits, '-', '.' or '_', "
            "with a letter or digit first and last",
        )
    return value


def check_integer(field: str, value: object, low: int, high: int) -> int:
    """An int from `low` to `high`, both included; a bool is not an int."""
    if isinstance(value, bool) or not isinstance(value, int):
        raise FieldError(field, f"{value!r} is not a whole number", "give an integer")
    if not low <= value <= high:
        raise FieldError(field, f"{value} is out of range", f"give {low} to {high}")
    return value


def check_boolean(field: str, value: object) -> bool:
    """True or False, nothing that merely counts as one."""
    if not isinstance(value, bool):
        raise FieldError(field, f"{value!r} is not true or false", "give true or false")
    return value


def check_choice(field: str, value: object, choices: Collection[str]) -> str:
    """One of a few words."""
    if not isinstance(value, str) or value not in choices:
        raise FieldError(field, f"{value!r} is unknown", f"use one of {', '.join(sorted(choices))}")
    return value


def check_address(field: str, value: object) -> str:
    """A unicast IP address as text in its one canonical form (RFC 5952 for IPv6).

    RFC 1122 section 3.2.1.3 and RFC 4291 section 2.4 list what is not.
    """
    if isinstance(value, str) and _is_plain(value):
        return value
    address = _parsed(field, value)
    if not _is_unicast(address):
        raise FieldError(
            field,
            f"{value} is not a unicast address of a network",
            "give an address that is not multicast, loopback, link-local IPv6, unspecified, "
            "reserved or broadcast",
        )
    return _canonical(field, value, address)


def check_host_address(field: str, value: object) -> str:
    """An address that a host on a link may have, link-local ones among them; canonical too."""
    address = _parsed(field, value)
    scoped = isinstance(address, ipaddress.IPv6Address) and address.scope_id is not None
    if scoped or address.is_multicast or address.is_unspecified or value == _EVERYONE:
        raise FieldError(field, f"{value!r} is no host's address", "give one such as 10.0.0.7")
    return _canonical(field, value, address)


@lru_cache(maxsize=1 << 10)  # an address is checked again wherever its record comes by
def _is_plain(value: str) -> bool:
    """Whether it is a unicast address in canonical form."""
    try:
        address = ipaddress.ip_address(value)
    except ValueError:
        return False
    return _is_unicast(address) and str(address) == value


def _parsed(field: str, value: object) -> IPAddress:
    if not isinstance(value, str):
        raise FieldError(field, f"{value!r} is not an address", "give text like 10.0.0.1")
    try:
        return ipaddress.ip_address(value)
    except ValueError:
        raise FieldError(
            field, f"{value!r} is not an IP address", "give one like 10.0.0.1 or fd00::1"
        ) from None


def _canonical(field: str, value: object, address: IPAddress) -> str:
    if str(address) != value:
        raise FieldError(field, f"{value} is not in canonical form", f"write {address}")
    return str(address)


def _is_unicast(address: IPAddress) -> bool:
    if address.is_multicast or address.is_loopback or address.is_unspecified:
        return False
    if isinstance(address, ipaddress.IPv6Address):
        return not address.is_link_local and address.ipv4_mapped is None
    return address.packed[0] not in (0, *range(240, 256))


def is_ipv6(address: str) -> bool:
    """Whether a checked address is IPv6."""
    return ":" in address


def check_mac(field: str, value: object) -> str:
    """Any Ethernet address, lower case with colons."""
    if not isinstance(value, str) or not _MAC.fullmatch(value):
        raise FieldError(
            field, f"{value!r} is not an Ethernet address", "write it like 0a:00:00:00:00:01"
        )
    return value


def check_unicast_mac(field: str, value: object) -> str:
    """The Ethernet address of one station: group bit clear (IEEE 802), not all zero."""
    mac = check_mac(field, value)
    if int(mac[:2], 16) & 1 or mac == "00:00:00:00:00:00":
        raise FieldError(field, f"{mac} is not a station's address", "give a unicast address")
    return mac


def is_dpid(text: str) -> bool:
    """Whether it is written as a datapath id is."""
    return _DPID.fullmatch(text) is not None


def check_dpid(field: str, value: object) -> str:
    """A datapath id: 16 lower case hexadecimal digits."""
    if not isinstance(value, str) or not is_dpid(value):
        raise FieldError(
            field,
            f"{value!r} is not a datapath id",
            "give 16 lower case hexadecimal digits like 0000000000000001",
        )
    return value


def check_database(field: str, value: object) -> str:
    """What tells one database from another: eight hex digits."""
    if not isinstance(value, str) or not _DATABASE.fullmatch(value):
        raise FieldError(field, f"{value!r} is no database", "give its eight hex digits")
    return value


def check_set(field: str, value: object, most: int) -> frozenset[str]:
    """A frozenset of at most so many texts."""
    if not isinstance(value, frozenset):
        raise FieldError(field, f"{value!r} is not a frozenset", "give a frozenset")
    if len(value) > most:
        raise FieldError(field, f"there are {len(value)}", f"keep at most {most}")
    return value
