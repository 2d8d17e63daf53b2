"""The node agent's port in a switch: what it answers, and that nothing is left of it."""

from __future__ import annotations

import signal
import subprocess
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from nib.intent import Service
from nib.policy import HealthCheck
from prewire.host.port import mac_of, outer_name
from tests.switch.node_site import BRIDGE, CLIENT, DPID, VIP, Host, Site, site
from tests.waiting import until

pytestmark = pytest.mark.root

WEB = Service("web", VIP, 80, health=HealthCheck(interval_ms=100, timeout_ms=100))
CONNECT = """
import socket, sys
try:
    socket.create_connection((sys.argv[1], int(sys.argv[2])), 2)
except OSError as error:
    print(type(error).__name__)
"""


@pytest.fixture
def here() -> Iterator[Site]:
    with site() as made:
        yield made


def links(here: Site) -> set[str]:
    """Links of the switch's host by name, without the other end's."""
    shown = here.ovs.run("ip", "-brief", "link").splitlines()
    return {line.split()[0].partition("@")[0] for line in shown}


def refusal(client: Host, address: str, port: int) -> str:
    return client.run("python3", "-c", CONNECT, address, str(port)).strip()


def test_it_says_who_it_is_and_leaves_with_the_agent(here: Site) -> None:
    here.register(WEB)
    before = links(here)
    with here.agent() as agent:
        port = outer_name(DPID)
        ids = here.ovs.vsctl("get", "Interface", port, "external_ids")
        assert f'iface-id="prewire-health-{DPID}"' in ids or f"prewire-health-{DPID}" in ids
        assert f'attached-mac="{mac_of(DPID)}"' in ids
        assert links(here) - before == {port}
        agent.send_signal(signal.SIGINT)
        assert agent.wait(60) == 0
    assert here.health_ports() == []
    assert links(here) == before
    assert "Traceback" not in (here.ovs.directory / "node.log").read_text()


def test_a_killed_agent_is_cleaned_up_after_and_strangers_are_not_touched(here: Site) -> None:
    here.ovs.run("ip", "link", "add", "theirs", "type", "veth", "peer", "name", "theirs-peer")
    here.ovs.vsctl("add-port", BRIDGE, "theirs", "--", "set", "Interface", "theirs",
                   "external_ids:prewire=theirs")  # fmt: skip
    here.register(WEB)
    with here.agent() as agent:
        agent.kill()
        agent.wait()
    assert here.health_ports() == [outer_name(DPID)], "nobody was there to take it out"
    until(lambda: links(here), lambda seen: outer_name(DPID) not in seen, "the pair is gone")
    one = here.host("one", "10.0.0.1")
    here.serve(one, "tcp")
    here.register(WEB, one=one)
    with here.agent():
        here.await_health("one", True)
    assert here.health_ports() == []
    assert "theirs" in here.ovs.vsctl("list-ports", BRIDGE)
    assert "theirs" in links(here)


def test_a_port_of_a_vip_without_a_service_answers_with_a_reset(here: Site) -> None:
    client = here.host("client", CLIENT)
    here.register(WEB)
    assert refusal(client, VIP, 81) == "TimeoutError", "without an agent nobody answers"
    with here.agent():
        assert refusal(client, VIP, 81) == "ConnectionRefusedError"
        here.register(replace(WEB, name="other", vip="10.0.0.101"))
        until(
            lambda: refusal(client, "10.0.0.101", 81),
            lambda seen: seen == "ConnectionRefusedError",
            "the new VIP has an address there",
        )


def test_a_port_that_was_taken_out_comes_back(here: Site) -> None:
    one = here.host("one", "10.0.0.1")
    server = here.serve(one, "tcp")
    here.register(WEB, one=one)
    with here.agent() as agent:
        here.await_health("one", True)
        here.ovs.vsctl("del-port", outer_name(DPID))
        here.await_port(agent, Path(here.ovs.directory / "node.log"))
        server.kill()
        here.await_health("one", False)


def test_two_agents_do_not_take_the_switch_from_each_other(here: Site) -> None:
    one = here.host("one", "10.0.0.1")
    here.serve(one, "tcp")
    here.register(WEB, one=one)
    with here.agent():
        here.await_health("one", True)
        log = here.ovs.directory / "second.log"
        with log.open("w") as output:
            second = subprocess.Popen(here.agent_command(), env=here.agent_environment(),
                                      stderr=output)  # fmt: skip
        until(log.read_text, lambda text: "another node agent serves" in text, "it says so")
        second.terminate()
        assert second.wait(60) == 0
        assert here.health_ports() == [outer_name(DPID)]
        here.register(replace(WEB, health=HealthCheck(port=1, interval_ms=100, fall=1)))
        here.await_health("one", False)
