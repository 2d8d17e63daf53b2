"""Who may be learned where, and what may not be claimed."""

from __future__ import annotations

from dataclasses import replace

import pytest

from gateway_lb.neighbours import VIP_MAC
from nib.intent import Container, Service
from nib.mirror import Mirror, RowChange
from nib.records import Record
from nib.topology import MAX_HOST_ADDRESSES, Host, Link, Port
from ryu_apps.hosts import MAX_HOSTS_AT_PORT, concerned, lawful, learned, obstacle

HERE, THERE = (f"{number:016x}" for number in (1, 2))
PORT = Port(HERE, "p1", 1, "02:00:00:00:ff:01", up=True)
AWAY = Port(THERE, "p2", 2, "02:00:00:00:ff:02", up=True)
MAC, OTHER, POD = (f"02:00:00:00:00:{number:02x}" for number in (1, 2, 3))
WEB = Service("web", "10.0.0.100", 80)
CONTAINER = Container("web", "c1", "10.0.1.1", 8080, POD, THERE, "p2")


def view_of(*records: Record) -> Mirror:
    view = Mirror()
    for record in (PORT, AWAY, WEB, CONTAINER, *records):
        view.apply(RowChange(view.get(type(record), record.key), record))
    return view


def store(view: Mirror, rows: list[Host]) -> None:
    for row in rows:
        view.apply(RowChange(view.get(Host, row.mac), row))


def test_who_speaks_is_learned() -> None:
    view = view_of()
    assert obstacle(MAC, "10.0.9.1", PORT, view) == ""
    assert learned(MAC, "10.0.9.1", PORT, view) == [
        Host(MAC, HERE, "p1", frozenset({"10.0.9.1"})),
    ]


def test_who_has_no_address_yet_is_learned_too() -> None:
    assert learned(MAC, "", PORT, view_of()) == [Host(MAC, HERE, "p1")]


def test_what_is_known_is_not_learned_again() -> None:
    view = view_of(Host(MAC, HERE, "p1", frozenset({"10.0.9.1"})))
    assert learned(MAC, "10.0.9.1", PORT, view) == []
    assert learned(MAC, "", PORT, view) == []


def test_a_host_that_moves_keeps_its_addresses() -> None:
    view = view_of(Host(MAC, HERE, "p1", frozenset({"10.0.9.1", "fe80::1"})))
    assert learned(MAC, "10.0.9.1", AWAY, view) == [
        Host(MAC, THERE, "p2", frozenset({"10.0.9.1", "fe80::1"})),
    ]


def test_an_address_has_one_host() -> None:
    view = view_of(Host(OTHER, THERE, "p2", frozenset({"10.0.9.1", "10.0.9.2"})))
    assert learned(MAC, "10.0.9.1", PORT, view) == [
        Host(MAC, HERE, "p1", frozenset({"10.0.9.1"})),
        Host(OTHER, THERE, "p2", frozenset({"10.0.9.2"})),
    ]


def test_of_too_many_addresses_the_new_one_is_kept() -> None:
    view = view_of()
    for number in range(40):
        address = f"10.0.9.{number}"
        store(view, learned(MAC, address, PORT, view))
        host = view.need(Host, MAC)
        assert address in host.addresses
        assert len(host.addresses) == min(number + 1, MAX_HOST_ADDRESSES)


@pytest.mark.parametrize(
    ("mac", "address", "reason"),
    [
        (VIP_MAC, "10.0.9.1", "vip"),
        (MAC, WEB.vip, "vip"),
        (POD, CONTAINER.address, "container"),
        (POD, "", "container"),
        (MAC, CONTAINER.address, "container"),
        (OTHER, "10.0.9.1", "attached"),
    ],
)
def test_what_is_anothers_is_refused(mac: str, address: str, reason: str) -> None:
    view = view_of(replace(AWAY, attached_mac=OTHER))
    assert obstacle(mac, address, PORT, view) == reason


def test_everyone_may_be_who_he_is() -> None:
    view = view_of(replace(AWAY, attached_mac=OTHER))
    assert obstacle(POD, CONTAINER.address, AWAY, view) == ""
    assert obstacle(POD, "fe80::1", AWAY, view) == ""
    assert obstacle(OTHER, "10.0.9.1", AWAY, view) == ""
    assert learned(POD, "fe80::1", AWAY, view) == []
    assert learned(OTHER, "10.0.9.1", AWAY, view) == [
        Host(OTHER, THERE, "p2", frozenset({"10.0.9.1"}))
    ]


def test_a_container_that_is_nowhere_yet_may_speak() -> None:
    pod = replace(CONTAINER, switch=None, switch_port=None, iface_id="pod")
    assert obstacle(POD, CONTAINER.address, PORT, view_of(pod)) == ""
    assert obstacle(MAC, CONTAINER.address, PORT, view_of(pod)) == "container"


def test_nobody_is_at_a_fabric_port() -> None:
    link = Link(HERE, "p1", THERE, "p2")
    for port in (PORT, AWAY):
        assert obstacle(MAC, "10.0.9.1", port, view_of(link)) == "fabric"


def test_one_port_has_so_many_hosts_and_no_more() -> None:
    hosts = [Host(f"06:00:00:00:{n >> 8:02x}:{n & 255:02x}", HERE, "p1") for n in range(256)]
    assert len(hosts) == MAX_HOSTS_AT_PORT
    view = view_of(*hosts)
    assert obstacle(MAC, "10.0.9.1", PORT, view) == "full"
    assert obstacle(MAC, "10.0.9.1", AWAY, view) == ""
    assert obstacle(hosts[0].mac, "10.0.9.1", PORT, view) == ""


HOST = Host(MAC, HERE, "p1", frozenset({"10.0.9.1", "10.0.9.2"}))


@pytest.mark.parametrize(
    ("record", "kept"),
    [
        (Service("db", "10.0.9.1", 80), replace(HOST, addresses=frozenset({"10.0.9.2"}))),
        (
            replace(CONTAINER, id="c2", address="10.0.9.2"),
            replace(HOST, addresses=frozenset({"10.0.9.1"})),
        ),
        (replace(CONTAINER, id="c2", mac=MAC), None),
        (replace(AWAY, attached_mac=MAC), None),
        (replace(PORT, attached_mac=MAC), HOST),
        (replace(PORT, up=False), HOST),
        (Link(HERE, "p1", THERE, "p2"), None),
        (Link(THERE, "p2", HERE, "p1"), None),
        (HOST, HOST),
    ],
)
def test_what_intent_says_later_counts(record: Record, kept: Host | None) -> None:
    view = view_of(HOST)
    before = view.get(type(record), record.key)
    view.apply(RowChange(before, record))
    assert lawful(HOST, view) == kept
    change = RowChange(before, record)
    assert kept == HOST or HOST in list(concerned(change, view))


def test_a_host_goes_with_its_port() -> None:
    view = view_of(HOST)
    gone = RowChange(PORT, None)
    view.apply(gone)
    assert list(concerned(gone, view)) == [HOST]
    assert lawful(HOST, view) is None
