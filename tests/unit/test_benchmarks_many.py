"""The services of the benchmarks that have many: who is who, and what OVN is told of them."""

from __future__ import annotations

import ipaddress

from benchmarks.peers import ovn
from benchmarks.sites.many import CONTAINERS, backend, mac, vip
from nib.fields import check_unicast_mac

_MOST = 3000


def test_three_thousand_services_have_addresses_of_their_own() -> None:
    vips = {vip(service) for service in range(_MOST)}
    pairs = [(service, number) for service in range(_MOST) for number in range(CONTAINERS)]
    backends = {backend(*pair) for pair in pairs}
    macs = {mac(*pair) for pair in pairs}
    assert len(vips) == _MOST
    assert len(backends) == len(macs) == len(pairs)
    assert not vips & backends
    for address in vips | backends:
        assert ipaddress.ip_address(address) in ipaddress.ip_network("10.0.0.0/8")
    for each in macs:
        check_unicast_mac("mac", each)


def test_a_change_of_a_service_of_ovn_moves_one_backend_alone() -> None:
    before, after = (ovn._changed(7, port)[-1].split(",") for port in (8080, 9000))
    changed = [pair for pair in zip(before, after, strict=True) if pair[0] != pair[1]]
    assert changed == [(f"{backend(7, 0)}:8080", f"{backend(7, 0)}:9000")]
    assert len(after) == CONTAINERS


def test_all_services_of_a_transaction_are_members_of_ovns_group() -> None:
    told = ovn._added(range(3, 6))
    assert told.count("Load_Balancer") == 3
    assert told[-6:] == ["Load_Balancer_Group", "all", "load_balancer", "@l3", "@l4", "@l5"]
