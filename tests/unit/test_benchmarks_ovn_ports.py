"""The containers that are ports of OVN's switch: who is behind which parent."""

from __future__ import annotations

from benchmarks.peers import ovn_ports
from benchmarks.sites.many import CONTAINERS, backend, mac

_MOST = 3000


def test_no_two_containers_share_a_tag_of_a_parent() -> None:
    told = ovn_ports.added(range(_MOST))
    parents = [word for word in told if word.startswith("parent_name=")]
    tags = [int(word.removeprefix("tag_request=")) for word in told if "tag_request=" in word]
    assert len(set(zip(parents, tags, strict=True))) == _MOST * CONTAINERS
    assert len(set(parents)) == ovn_ports.parents(_MOST)
    assert 1 <= min(tags) <= max(tags) <= 4094  # what a VLAN tag can be


def test_every_parent_is_a_port_of_the_switch() -> None:
    services = 7  # the last parent is not full
    told = ovn_ports.parents_added(ovn_ports.parents(services))
    ports = {word for word in told if word.startswith("vm")}
    parents = {
        word.removeprefix("parent_name=")
        for word in ovn_ports.added(range(services))
        if word.startswith("parent_name=")
    }
    assert ports == parents
    assert told[0] == "lsp-add"


def test_a_port_has_the_addresses_of_its_container() -> None:
    told = ovn_ports.added(range(5, 6))
    place = told.index("name=nested-5-3")
    assert f'addresses="{mac(5, 3)} {backend(5, 3)}"' in told[place : place + 4]
