"""Packets that no kernel would send, made by scapy in the client host."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any, Final

import pytest

from tests.acceptance.site import VIP, VIP_MAC, Site

pytestmark = pytest.mark.root

VIP6: Final = "fd70:77::100"
_PROGRAM: Final = Path(__file__).parent / "in_host/odd_packets.py"


def sent(site: Site, case: str, target: str, *more: str) -> list[dict[str, Any]]:
    """What answered to the odd packets of a case."""
    argv = [sys.executable, str(_PROGRAM), case, "pw-client-eth0", target, *more]
    done = site.net.run("client", argv, 30)
    assert done.returncode == 0, done.stderr
    answers: list[dict[str, Any]] = json.loads(done.stdout)
    return answers


def test_a_client_that_lost_its_state_is_told_by_the_container(site: Site) -> None:
    """Its SYN, out of the window, is answered with what makes it reset the old connection."""
    site.add_service()
    site.add("c1")
    with site.talk(source_port=41_001) as talk:
        assert talk.get() == "c1"
        assert {"source": VIP, "flags": "A"} in sent(site, "syn", VIP, "41001")
        assert talk.get() == "c1", "the connection itself goes on"


def test_a_reset_out_of_the_window_ends_nothing(site: Site) -> None:
    site.add_service()
    site.add("c1")
    with site.talk(source_port=41_002) as talk:
        assert talk.get() == "c1"
        sent(site, "rst", VIP, "41002")
        assert talk.get() == "c1"


def test_flags_that_contradict_each_other_open_nothing(site: Site) -> None:
    site.add_service()
    site.add("c1")
    answers = sent(site, "flags", VIP)
    assert not [each for each in answers if each["flags"] == "SA"], answers
    assert site.get(3) == {"c1": 3}


def test_fragments_to_a_vip_are_dropped(site: Site) -> None:
    site.add_service("udp", port=5353)
    site.add("c1", port=5300)
    with site.udp_server("c1", 5300):
        assert sent(site, "fragments", VIP) == []
        assert site.ask_udp(3, 5353) == {"c1": 3}


def test_a_neighbour_solicitation_is_answered_in_the_switch(site: Site) -> None:
    site.add_service(vip=VIP6)
    site.add("c1")
    client = site.container("client").address6
    assert client is not None
    answers = sent(site, "solicit", VIP6, client)
    assert answers == [{"target": VIP6, "solicited": 1, "mac": VIP_MAC}]


def test_who_asks_whether_an_address_is_free_is_answered_by_nobody(site: Site) -> None:
    """The switch would make a container take its own address for taken, when it comes up."""
    site.add_service(vip=VIP6)
    site.add("c1")
    address = site.container("c1").address6
    assert address is not None
    assert sent(site, "is-it-free", address) == []
