"""The doctor on a switch with DPDK ports, with all of prewire at work on it."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final

import pytest

from tests import commands
from tests.acceptance import qos
from tests.switch.dpdk_site import DpdkSite, dpdk_site

pytestmark = [pytest.mark.root, pytest.mark.alone]

LINK: Final = 50_000_000


@pytest.fixture(scope="module")
def site() -> Iterator[DpdkSite]:
    """A limit on who calls `web`, and queues at its container's port."""
    with dpdk_site(1) as here:
        here.add_service()
        here.add("c1")
        qos.state_rate(here, "c1", LINK)
        qos.set_policy(here, "limit", destination="web", max_bps="10M")
        qos.await_queues(here, "c1")
        yield here


def doctor(site: DpdkSite) -> list[tuple[str, str]]:
    """What it finds on the switch's host."""
    argv = site.net.switch.command(sys.executable, "-m", "prewire", "doctor", "-o", "json")
    env = commands.environment(site.prewire.settings.environment)
    done = subprocess.run(
        argv,
        env={**env, "PATH": site.net.switch.environment["PATH"]},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode in (0, 3), done
    found: dict[str, Any] = json.loads(done.stdout)
    assert found["not_looked_at"] == []
    return [(each["code"], each["subject"]) for each in found["items"]]


@contextmanager
def frozen_agent(site: DpdkSite) -> Iterator[None]:
    """The node agent repairs nothing."""
    site.prewire.node.send_signal(signal.SIGSTOP)
    try:
        yield
    finally:
        site.prewire.node.send_signal(signal.SIGCONT)


def test_policers_are_read_back(site: DpdkSite) -> None:
    _, port = site.net.spec.port_of("c1")
    where = f"bridge {site.bridge} port {port}"
    assert doctor(site) == []
    with frozen_agent(site):
        uuid = site.net.switch.vsctl("get", "Port", port, "qos").strip()
        site.net.switch.vsctl("set", "QoS", uuid, "type=linux-htb")
        assert doctor(site) == [("QOS05", where)]
        site.net.switch.vsctl("clear", "Port", port, "qos")
        assert doctor(site) == [("QOS01", where)]


def test_a_dpdk_port_that_cannot_be_is_found(site: DpdkSite) -> None:
    options = "options:dpdk-devargs=eth_af_packet9,iface=nothing"
    site.net.switch.vsctl(
        "--no-wait", "add-port", site.bridge, "p-nothing", "--",
        "set", "Interface", "p-nothing", "type=dpdk", options,
    )  # fmt: skip
    column = ("wait-until", "Interface", "p-nothing", "error!=[]")
    site.net.switch.vsctl(*column)
    try:
        assert doctor(site) == [("OVS01", f"bridge {site.bridge} port p-nothing")]
    finally:
        site.net.switch.vsctl("del-port", "p-nothing")
