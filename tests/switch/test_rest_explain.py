"""`prewire explain` of meters and of what governs a packet, against a real REST server."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from nib.qos import Policy, PolicyShare
from nib.records import SlotTable
from qos.pipeline import bit_meter
from ryu_apps.forwarding import LEARN_METER
from tests import commands
from tests.switch.command_line import CommandLine
from tests.switch.rest_server import DPID, problem

PACKET = "in_port=9,tcp,nw_src=10.0.0.9,nw_dst=10.0.0.100,tp_src=40000,tp_dst=80"
METER = str(bit_meter(7))


@pytest.fixture(scope="module")
def prewire() -> Iterator[CommandLine]:
    """A service `web` with a container, and a limit on who calls it."""
    with CommandLine.running() as running:
        running("service", "set", "web", "--vip", "10.0.0.100", "--port", "80")
        running("container", "set", "web", "c1", "--address", "10.0.0.11", "--port", "80",
                "--iface-id", "web-1")  # fmt: skip
        running.write(
            SlotTable("web", (running.number_of("c1"),) * 64),
            Policy("calls", None, "web", "interactive", max_bps=10_000_000, number=7),
            PolicyShare("calls", DPID, 10_000_000),
        )
        running.shown("policy calls", "explain", "meter", METER)
        yield running


def test_a_meter_of_a_policy(prewire: CommandLine) -> None:
    assert prewire("explain", "meter", METER).splitlines()[0] == (
        f"meter {METER}: policy calls, of its bits"
    )
    found = prewire.read("explain", "meter", METER)
    assert (found["policy"], found["counts"]) == ("calls", "bits")
    assert [(each["switch"], each["rate"]) for each in found["switches"]] == [(DPID, 10_000)]
    assert "10M" in prewire("explain", "meter", METER)


def test_a_meter_of_every_switch_and_one_of_nobody(prewire: CommandLine) -> None:
    assert "stations that speak" in prewire("explain", "meter", str(LEARN_METER))
    assert "no switch should have it" in prewire("explain", "meter", "5")


@pytest.mark.parametrize("words", [("meter",), ("meter", "ten"), ("meter", "1", "2")])
def test_a_meter_without_a_number_is_wrong_usage(words: tuple[str, ...]) -> None:
    done = commands.run_here("explain", *words)
    assert done.returncode == 2
    assert "meter 69634" in done.stderr


def test_what_governs_a_packet(prewire: CommandLine) -> None:
    text = prewire("explain", PACKET)
    assert "policy calls governs it, waiting (" in text, "the container's port is down"
    assert "); class interactive: DSCP 18, queue 2\n" in text
    assert f"switch {DPID} lets 10M through, meter {METER}" in text
    found = prewire.read("explain", PACKET)["policy"]
    assert (found["policy"], found["share_bps"], found["meters"]) == (
        "calls", 10_000_000, [int(METER)]
    )  # fmt: skip


def test_what_no_policy_governs(prewire: CommandLine) -> None:
    reply = "in_port=1,tcp,nw_src=10.0.0.11,nw_dst=10.0.0.9,tp_src=80,tp_dst=40000"
    assert "no policy governs it; class default: DSCP 0, queue 0" in prewire("explain", reply)


@pytest.mark.parametrize("number", ["0", "ten", "4294967296"])
def test_what_is_no_meter_id_is_refused(prewire: CommandLine, number: str) -> None:
    answer = prewire.server.http.get("/v1/explain/meter", params={"meter": number})
    assert problem(answer, 422)["field"] == "meter"
