"""`prewire trace` on a real switch: its flows, and the intent that a REST server tells of them."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest

from tests.commands import one_line, run_here
from tests.needs import need_ovs
from tests.ovs import PrivateOvs
from tests.switch.command_line import CommandLine

BRIDGE = "br0"
PACKET = "in_port=1,tcp,nw_src=10.9.0.1,nw_dst=10.0.0.100,tp_src=1234,tp_dst=80"
FLOWS = (
    # as a controller installs them for the service, and one of somebody else
    "table=0,priority=100,ip,cookie=0x7000010000000000,actions=goto_table:20",
    "table=20,priority=100,tcp,nw_dst=10.0.0.100,tp_dst=80,cookie=0x7000010300000001,"
    "actions=ct(table=30,zone=1)",
    "table=30,priority=9,ct_state=+est+trk,tcp,cookie=0x77,actions=output:2",
)


@pytest.fixture(scope="module")
def ovs() -> Iterator[PrivateOvs]:
    need_ovs()
    with PrivateOvs() as private:
        private.add_bridge(BRIDGE, dpid=1, ports=("p1", "p2"))
        for flow in FLOWS:
            private.ofctl("add-flow", BRIDGE, flow)
        yield private


@pytest.fixture(scope="module")
def prewire() -> Iterator[CommandLine]:
    with CommandLine.running() as running:
        running("service", "set", "web", "--vip", "10.0.0.100", "--port", "80")
        yield running


def settings(ovs: PrivateOvs, api: str = "http://127.0.0.1:1") -> dict[str, str]:
    return {"PREWIRE_SWITCH_DB": ovs.database, "PREWIRE_API": api}


def test_each_flow_of_the_way_is_shown_with_its_intent(
    ovs: PrivateOvs, prewire: CommandLine
) -> None:
    env = settings(ovs, prewire.server.settings.api_url)
    done = run_here("trace", PACKET, "--ct-next", "trk,est", "-o", "json", env=env)
    assert (done.returncode, done.stderr) == (0, "")
    found = json.loads(done.stdout)
    first, second = found["passes"]
    assert [each["table_name"] for each in first["steps"]] == ["classify", "conntrack"]
    assert first["steps"][0]["wanted"] is True
    assert first["steps"][1]["origin"] == "service web"
    assert second["steps"][0]["owner"].startswith("not prewire's")
    assert second["steps"][0]["wanted"] is False
    assert found["datapath_ports"] == ["2"]
    shown = run_here("trace", PACKET, "--ct-next", "trk,est", env=env).stdout
    assert "because of service web\n" in shown
    assert "nothing in the database asks for it\n" in shown


def test_without_a_server_cookies_tell(ovs: PrivateOvs) -> None:
    done = run_here("trace", PACKET, env=settings(ovs))
    assert done.returncode == 0
    assert "because of service number 1, written in epoch 1" in done.stdout
    assert "service    no match" in done.stdout
    assert "prewire: not explained: api: no answer from" in done.stderr


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("in_port=1,tcq",), "unknown field tcq"),
        ((PACKET, "--switch", "br7"), "this machine has no bridge br7; it has br0"),
        ((PACKET, "--ct-next", "nonsense"), "nonsense"),
    ],
)
def test_what_cannot_be_traced_is_refused(
    words: tuple[str, ...], told: str, ovs: PrivateOvs
) -> None:
    assert told in one_line(run_here("trace", *words, env=settings(ovs)))


def test_a_machine_without_switches_says_so() -> None:
    assert "no Open vSwitch" in one_line(run_here("trace", PACKET, env={"PREWIRE_SWITCH_DB": ""}))
