"""A network value names everything, and refuses what cannot be built."""

import ipaddress
from dataclasses import replace

import pytest

from topologies.errors import SpecError
from topologies.spec import (
    MAX_INTERFACE_NAME,
    HostSpec,
    LinkSpec,
    NetworkSpec,
    SwitchSpec,
    single_switch,
)

CLIENT = HostSpec("client", "10.0.0.1", 16, "02:70:77:00:00:01", "client")
C1 = HostSpec("c1", "10.0.0.11", 16, "02:70:77:00:00:0b", "container", 8080)
V6 = replace(CLIENT, address6="fd70:77::1")
S1 = SwitchSpec("s1", 1)
LINKS = (LinkSpec("client", "s1", 0, 1), LinkSpec("c1", "s1", 0, 2))


def test_single_switch_has_a_client_a_gateway_and_containers() -> None:
    spec = single_switch(containers=3)
    assert [host.name for host in spec.hosts] == ["client", "gateway", "c1", "c2", "c3"]
    assert spec.client.address == "10.0.0.1"
    assert spec.gateway.address == "10.0.0.2"
    assert [c.address for c in spec.containers] == ["10.0.0.11", "10.0.0.12", "10.0.0.13"]
    assert [c.http_port for c in spec.containers] == [8080] * 3


def test_single_switch_numbers_ipv6_addresses_as_ipv4_ones() -> None:
    spec = single_switch(containers=2)
    assert [host.address6 for host in spec.hosts] == [
        "fd70:77::1",
        "fd70:77::2",
        "fd70:77::b",
        "fd70:77::c",
    ]
    assert {host.prefix_len6 for host in spec.hosts} == {64}


def test_single_switch_is_the_same_every_time() -> None:
    assert single_switch(2) == single_switch(2)
    assert hash(single_switch(2)) == hash(single_switch(2))


def test_port_of_is_what_a_registration_needs() -> None:
    spec = single_switch(containers=1, dpid=0xABC)
    assert spec.port_of("c1") == ("0000000000000abc", "pw-s1-eth3")
    assert spec.switch_port("c1") == (spec.switches[0], 3)


def test_port_of_finds_a_host_on_either_end_of_its_link() -> None:
    spec = NetworkSpec((C1,), (S1,), (LinkSpec("s1", "c1", 7, 0),))
    assert spec.port_of("c1") == ("0000000000000001", "pw-s1-eth7")


@pytest.mark.parametrize("containers", [0, 1, 99, 500])
def test_names_addresses_and_macs_are_usable(containers: int) -> None:
    spec = single_switch(containers)
    names = [*spec.switch_interfaces(), *(link.a_interface for link in spec.links)]
    assert len(set(names)) == 2 * len(spec.hosts)
    assert all(name.startswith("pw-") and len(name) <= MAX_INTERFACE_NAME for name in names)
    assert all(ipaddress.ip_address(host.address).is_private for host in spec.hosts)


def test_unknown_host_names_the_known_ones() -> None:
    with pytest.raises(KeyError, match="no host 'c9'; hosts are client, gateway, c1"):
        single_switch(1).port_of("c9")


def test_missing_role_is_said() -> None:
    with pytest.raises(KeyError, match="no client"):
        _ = NetworkSpec((), (S1,), ()).client


@pytest.mark.parametrize(
    ("field", "value", "complaint"),
    [
        ("name", "C1", "lower-case"),
        ("name", "c-1", "lower-case"),
        ("name", "c1\n", "lower-case"),
        ("name", "", "lower-case"),
        ("name", "container", "longer than 15"),
        ("address", "10.0.0.256", "address of c1"),
        ("address", "fd00::1", "address of c1"),
        ("address", "10.0.255.255", "not a host address"),
        ("address", "10.0.0.0", "not a host address"),
        ("prefix_len", 33, "address of c1"),
        ("mac", "02:70:77:00:00", "unicast MAC"),
        ("mac", "03:70:77:00:00:01", "unicast MAC"),
        ("mac", "02:70:77:00:00:0B", "lower-case hex"),
        ("http_port", 0, "not in 1 to 65535"),
        ("http_port", 65536, "not in 1 to 65535"),
        ("http_port", None, "a container needs one"),
        ("address6", "10.0.0.11", "address6 of c1"),
        ("address6", "fd70:77::g", "address6 of c1"),
        ("address6", "fd70:77::b%eth0", "is to be written fd70:77::b"),
        ("address6", "fd70:77::", "not a host address"),
        ("address6", "ff02::1", "not a host address"),
        ("address6", "fe80::1", "not a host address"),
        ("address6", "fd70:77::00B", "is to be written fd70:77::b"),
    ],
)
def test_bad_host_is_refused(field: str, value: object, complaint: str) -> None:
    with pytest.raises(SpecError, match=complaint):
        replace(C1, **{field: value})  # type: ignore[arg-type]


def test_bad_ipv6_prefix_length_is_refused() -> None:
    with pytest.raises(SpecError, match="address6 of c1"):
        replace(C1, address6="fd70:77::b", prefix_len6=129)


def test_ipv6_is_a_matter_of_each_host() -> None:
    assert C1.address6 is None
    assert replace(C1, address6="fd70:77::b").prefix_len6 == 64


@pytest.mark.parametrize("dpid", [0, -1, 1 << 64])
def test_bad_dpid_is_refused(dpid: int) -> None:
    with pytest.raises(SpecError, match="dpid of s1"):
        SwitchSpec("s1", dpid)


@pytest.mark.parametrize(
    ("hosts", "switches", "links", "complaint"),
    [
        ((CLIENT,), (), LINKS[:1], "at least one"),
        ((CLIENT, CLIENT), (S1,), LINKS[:1], "name: 'client' is used 2 times"),
        ((CLIENT, replace(C1, name="s1")), (S1,), LINKS[:1], "name: 's1' is used 2 times"),
        ((CLIENT, replace(C1, address="10.0.0.1")), (S1,), LINKS, "address: '10.0.0.1'"),
        ((V6, replace(C1, address6="fd70:77::1")), (S1,), LINKS, "address6: 'fd70:77::1' is used"),
        ((CLIENT, replace(C1, mac=CLIENT.mac)), (S1,), LINKS, "mac: '02:70:77:00:00:01'"),
        ((), (S1, SwitchSpec("s2", 1)), (), "dpid: '0000000000000001'"),
        ((CLIENT, C1), (S1,), LINKS[:1], "host c1 has none"),
        ((CLIENT,), (S1,), LINKS, "'c1' is no host or switch"),
        ((CLIENT,), (S1,), (LINKS[0], LINKS[0]), "link end: 'pw-client-eth0'"),
        ((CLIENT, C1), (S1,), (LINKS[0], replace(LINKS[1], b_port=1)), "link end: 'pw-s1-eth1'"),
        ((CLIENT,), (S1,), (replace(LINKS[0], b_port=0),), "port 0 of switch s1"),
        ((CLIENT,), (S1,), (replace(LINKS[0], a_port=1),), "client has only port 0"),
        ((CLIENT, C1), (S1,), (LinkSpec("client", "c1", 0, 0),), "joins two hosts"),
    ],
)
def test_contradictions_are_refused(
    hosts: tuple[HostSpec, ...],
    switches: tuple[SwitchSpec, ...],
    links: tuple[LinkSpec, ...],
    complaint: str,
) -> None:
    with pytest.raises(SpecError, match=complaint):
        NetworkSpec(hosts, switches, links)


@pytest.mark.parametrize(
    ("containers", "network", "complaint"),
    [(-1, "10.0.0.0/16", "negative"), (300, "10.0.0.0/24", "no room"), (1, "10.0.0.1/16", "host")],
)
def test_single_switch_refuses(containers: int, network: str, complaint: str) -> None:
    with pytest.raises(SpecError, match=complaint):
        single_switch(containers, network=network)
