"""What a network value may consist of: addresses of hosts, and names that are used once.

It knows nothing of switches and links: `topologies.spec` checks how parts fit together.
"""

import ipaddress
from collections import Counter
from collections.abc import Iterable

from topologies.errors import SpecError


def check_address(name: str, address: str, prefix_len: int) -> None:
    """Raises SpecError unless this is an IPv4 address that host `name` can have."""
    try:
        interface = ipaddress.IPv4Interface(f"{address}/{prefix_len}")
    except ValueError as error:
        raise SpecError(f"address of {name}: {error}") from error
    network = interface.network
    if interface.ip in (network.network_address, network.broadcast_address):
        raise SpecError(f"address of {name}: {interface} is not a host address")


def check_address6(name: str, address: str, prefix_len: int) -> None:
    """Raises SpecError unless this is an IPv6 address, in its shortest form, for host `name`."""
    try:
        interface = ipaddress.IPv6Interface(f"{address}/{prefix_len}")
    except ValueError as error:
        raise SpecError(f"address6 of {name}: {error}") from error
    ip = interface.ip
    if ip == interface.network.network_address or ip.is_multicast or ip.is_link_local:
        raise SpecError(f"address6 of {name}: {interface} is not a host address")
    if str(ip) != address:
        raise SpecError(f"address6 of {name}: {address!r} is to be written {ip}")


def check_unique(field: str, values: Iterable[str]) -> None:
    """Raises SpecError naming a value that comes more than once."""
    for value, count in Counter(values).items():
        if count > 1:
            raise SpecError(f"{field}: {value!r} is used {count} times; each must be its own")


def ipv4_network(text: str) -> ipaddress.IPv4Network:
    """Raises SpecError for a text that is no IPv4 network."""
    try:
        return ipaddress.IPv4Network(text)
    except ValueError as error:
        raise SpecError(f"network: {error}") from error
