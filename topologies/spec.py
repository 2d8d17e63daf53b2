"""Networks as values: hosts, switches and links, checked when they are made.

Owns the names and numbers of an emulated network: addresses, MACs, datapath ids, ports and the
interface names that follow from them. Every name it gives carries the project's prefix and fits
Linux's 15 characters, so that what an interrupted run left behind can be recognised.

It knows nothing of Mininet, Open vSwitch or processes, and does no I/O.
"""

import ipaddress
import re
from dataclasses import dataclass
from typing import Literal

from topologies.checks import check_address, check_address6, check_unique, ipv4_network
from topologies.errors import SpecError

PREFIX = "pw-"
MAX_INTERFACE_NAME = 15
MAX_DPID = (1 << 64) - 1
MAX_SWITCH_PORT = 0xFEFF  # OFPP_MAX is 0xffffff00, but Open vSwitch numbers ports in 16 bits

Role = Literal["client", "gateway", "container"]

_NODE_NAME = re.compile(r"[a-z][a-z0-9]*\Z")
_SUBNET6 = ipaddress.IPv6Network("fd70:77::/64")  # of numbered hosts
_MAC = re.compile(r"[0-9a-f]{2}(:[0-9a-f]{2}){5}\Z")


@dataclass(frozen=True, slots=True)
class HostSpec:
    """One host with one interface. A container serves HTTP on `http_port`; others serve nothing.

    A host without `address6` has no IPv6 at all. `address6` is in its shortest form (RFC 5952).
    """

    name: str
    address: str
    prefix_len: int
    mac: str
    role: Role
    http_port: int | None = None
    address6: str | None = None
    prefix_len6: int = 64

    def __post_init__(self) -> None:
        _check_node_name("host name", self.name)
        check_address(self.name, self.address, self.prefix_len)
        if self.address6 is not None:
            check_address6(self.name, self.address6, self.prefix_len6)
        if not _MAC.match(self.mac) or int(self.mac[:2], 16) & 1:
            raise SpecError(
                f"mac of {self.name}: {self.mac!r} is not a unicast MAC in lower-case hex"
            )
        if self.role == "container" and self.http_port is None:
            raise SpecError(f"http_port of {self.name}: a container needs one (1 to 65535)")
        if self.http_port is not None and not 1 <= self.http_port <= 65535:
            raise SpecError(f"http_port of {self.name}: {self.http_port} is not in 1 to 65535")

    @property
    def node(self) -> str:
        """The node's name in the emulator."""
        return PREFIX + self.name


@dataclass(frozen=True, slots=True)
class SwitchSpec:
    """One Open vSwitch bridge."""

    name: str
    dpid: int

    def __post_init__(self) -> None:
        _check_node_name("switch name", self.name)
        if not 1 <= self.dpid <= MAX_DPID:
            raise SpecError(f"dpid of {self.name}: {self.dpid} is not in 1 to 2**64-1")

    @property
    def bridge(self) -> str:
        return PREFIX + self.name

    @property
    def dpid_hex16(self) -> str:
        """The datapath id as OpenFlow tools print it: 16 lower-case hex digits."""
        return f"{self.dpid:016x}"


@dataclass(frozen=True, slots=True)
class LinkSpec:
    """A veth pair between node `a` port `a_port` and node `b` port `b_port`.

    A host has the one port 0. On a switch the port is the OpenFlow port number, from 1.
    """

    a: str
    b: str
    a_port: int
    b_port: int

    @property
    def a_interface(self) -> str:
        return interface_name(self.a, self.a_port)

    @property
    def b_interface(self) -> str:
        return interface_name(self.b, self.b_port)

    def ends(self) -> tuple[tuple[str, int], tuple[str, int]]:
        return (self.a, self.a_port), (self.b, self.b_port)


@dataclass(frozen=True, slots=True)
class NetworkSpec:
    """A whole network. Raises SpecError when its parts contradict each other."""

    hosts: tuple[HostSpec, ...]
    switches: tuple[SwitchSpec, ...]
    links: tuple[LinkSpec, ...]

    def __post_init__(self) -> None:
        if not self.switches:
            raise SpecError("switches: a network needs at least one")
        hosts = [host.name for host in self.hosts]
        switches = [switch.name for switch in self.switches]
        check_unique("name", hosts + switches)
        check_unique("address", [host.address for host in self.hosts])
        check_unique("address6", [host.address6 for host in self.hosts if host.address6])
        check_unique("mac", [host.mac for host in self.hosts])
        check_unique("dpid", [switch.dpid_hex16 for switch in self.switches])
        _check_links(self)

    @property
    def client(self) -> HostSpec:
        """The first client."""
        return self._first("client")

    @property
    def gateway(self) -> HostSpec:
        """The first gateway host."""
        return self._first("gateway")

    @property
    def containers(self) -> tuple[HostSpec, ...]:
        return tuple(host for host in self.hosts if host.role == "container")

    def host(self, name: str) -> HostSpec:
        """Raises KeyError for a name that is no host."""
        for host in self.hosts:
            if host.name == name:
                return host
        raise KeyError(f"no host {name!r}; hosts are {', '.join(h.name for h in self.hosts)}")

    @property
    def trunks(self) -> tuple[LinkSpec, ...]:
        """The links between switches."""
        switches = {switch.name for switch in self.switches}
        return tuple(link for link in self.links if {link.a, link.b} <= switches)

    def trunks_between(self, a: str, b: str) -> tuple[LinkSpec, ...]:
        """The links that join two switches. Raises KeyError where there is none."""
        found = tuple(link for link in self.trunks if {link.a, link.b} == {a, b})
        if not found:
            raise KeyError(f"no link between {a!r} and {b!r}")
        return found

    def switch(self, name: str) -> SwitchSpec:
        """Raises KeyError for a name that is no switch."""
        for switch in self.switches:
            if switch.name == name:
                return switch
        known = ", ".join(switch.name for switch in self.switches)
        raise KeyError(f"no switch {name!r}; switches are {known}")

    def switch_port(self, host: str) -> tuple[SwitchSpec, int]:
        """The switch and the OpenFlow port number that `host` is plugged into."""
        self.host(host)
        switches = {switch.name: switch for switch in self.switches}
        for link in self.links:
            here, there = link.ends()
            if host == there[0]:
                here, there = there, here
            if host == here[0]:
                return switches[there[0]], there[1]
        raise KeyError(f"host {host!r} has no link")

    def port_of(self, host: str) -> tuple[str, str]:
        """(datapath id as 16 hex digits, name of the switch port) that `host` is plugged into."""
        switch, port = self.switch_port(host)
        return switch.dpid_hex16, interface_name(switch.name, port)

    def switch_interfaces(self) -> tuple[str, ...]:
        """Every interface on a switch's side: those that live outside the hosts' namespaces."""
        hosts = {host.name for host in self.hosts}
        ends = (end for link in self.links for end in link.ends())
        return tuple(interface_name(*end) for end in ends if end[0] not in hosts)

    def _first(self, role: Role) -> HostSpec:
        for host in self.hosts:
            if host.role == role:
                return host
        raise KeyError(f"this network has no {role}")


def interface_name(node: str, port: int) -> str:
    return f"{PREFIX}{node}-eth{port}"


def numbered_host(
    name: str,
    number: int,
    role: Role,
    subnet: ipaddress.IPv4Network,
    http_port: int | None = None,
) -> HostSpec:
    """A host whose addresses all end with its number (below 65536)."""
    mac = f"02:70:77:00:{number >> 8:02x}:{number & 0xFF:02x}"
    v4, v6 = str(subnet[number]), str(_SUBNET6[number])
    return HostSpec(name, v4, subnet.prefixlen, mac, role, http_port, v6, _SUBNET6.prefixlen)


def container(n: int, subnet: ipaddress.IPv4Network, http_port: int = 8080) -> HostSpec:
    """Container `cN`, host number 10 + N."""
    return numbered_host(f"c{n}", 10 + n, "container", subnet, http_port)


def single_switch(
    containers: int = 3,
    *,
    network: str = "10.0.0.0/16",
    http_port: int = 8080,
    dpid: int = 1,
) -> NetworkSpec:
    """One switch `s1`, a `client`, a `gateway` and containers `c1` to `cN`.

    The client has the network's address 1, the gateway 2, container N address 10 + N. The last two
    bytes of a MAC repeat that number, as does the IPv6 address: fd70:77::1, fd70:77::2, fd70:77::b.

    Raises SpecError when the network is too small or `containers` is negative.
    """
    subnet = ipv4_network(network)
    if containers < 0:
        raise SpecError(f"containers: {containers} is negative")
    if containers + 11 >= subnet.num_addresses:
        raise SpecError(f"network: {network} has no room for {containers} containers; widen it")

    hosts = (
        numbered_host("client", 1, "client", subnet),
        numbered_host("gateway", 2, "gateway", subnet),
        *(container(n, subnet, http_port) for n in range(1, containers + 1)),
    )
    links = tuple(LinkSpec(h.name, "s1", 0, port) for port, h in enumerate(hosts, start=1))
    return NetworkSpec(hosts, (SwitchSpec("s1", dpid),), links)


def _check_node_name(field: str, name: str) -> None:
    if not _NODE_NAME.match(name):
        raise SpecError(f"{field}: {name!r} must be lower-case letters and digits, a letter first")
    longest = interface_name(name, 0)
    if len(longest) > MAX_INTERFACE_NAME:
        raise SpecError(
            f"{field}: {name!r} makes the interface {longest}, longer than"
            f" {MAX_INTERFACE_NAME} characters; shorten it"
        )


def _check_links(spec: NetworkSpec) -> None:
    hosts = {host.name for host in spec.hosts}
    switches = {switch.name for switch in spec.switches}
    ends = [end for link in spec.links for end in link.ends()]
    for name, port in ends:
        _check_link_end(name, port, hosts, switches)
    check_unique("link end", [interface_name(*end) for end in ends])
    for link in spec.links:
        if link.a in hosts and link.b in hosts:
            raise SpecError(f"link: {link.a} to {link.b} joins two hosts; put a switch between")
    linked = {name for name, _ in ends}
    for host in spec.hosts:
        if host.name not in linked:
            raise SpecError(f"links: host {host.name} has none")


def _check_link_end(name: str, port: int, hosts: set[str], switches: set[str]) -> None:
    if name not in hosts | switches:
        raise SpecError(f"link: {name!r} is no host or switch of this network")
    if name in hosts and port != 0:
        raise SpecError(f"link: host {name} has only port 0, not {port}")
    if name in switches and not 1 <= port <= MAX_SWITCH_PORT:
        raise SpecError(f"link: port {port} of switch {name} is not in 1 to {MAX_SWITCH_PORT}")
    if len(interface_name(name, port)) > MAX_INTERFACE_NAME:
        raise SpecError(f"link: {interface_name(name, port)} is too long; shorten the name")
