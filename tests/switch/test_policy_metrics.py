"""What a controller shows of policies and meters, as a real switch counts it."""

from __future__ import annotations

import shutil
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import Final

import pytest

from nib.qos import Policy
from tests.needs import need_ovs
from tests.ryu import need
from tests.switch.controlled import BRIDGE, DPID, Controlled, controlled
from tests.waiting import until

# Ten packets at once, and then one a second.
POLICY: Final = Policy("first", None, "web", max_pps=1, burst_ms=10_000)
FRAME_BYTES: Final = 54


@pytest.fixture(scope="module")
def running() -> Iterator[Controlled]:
    need_ovs()
    with controlled() as here:
        yield here


@dataclass
class Site:
    """The controller, a policy, and how many packets were sent under it."""

    here: Controlled
    policy: Policy
    sent: int = 0
    began: float = field(default_factory=time.monotonic)

    def figure(self, name: str, **labels: str) -> int:
        """A sample of the policy's."""
        return int(self.here.metric(f"prewire_policy_{name}", policy=self.policy.name, **labels))

    def limit(self, max_pps: int | None = None, max_bps: int | None = None) -> None:
        """The policy's limits are these from now on, in the switch."""
        with self.here.nib.view() as view:
            known = view.need(Policy, self.policy.name)
        self.here.put(replace(known, max_pps=max_pps, max_bps=max_bps))
        self.here.await_switch()

    def send(self, packets: int) -> None:
        """First packets of as many connections."""
        self.here.connect(*range(1024, 1024 + packets))
        self.sent += packets

    def check(self, dropped: int) -> None:
        """Of what was sent this was dropped, but for 6 packets a second that time let pass."""
        until(
            lambda: self.figure("offered_packets_total"),
            lambda seen: seen == self.sent,
            f"{self.sent} packets are counted",
        )
        refilled = 1 + 6 * (time.monotonic() - self.began)
        seen = self.figure("dropped_packets_total")
        assert dropped - refilled <= seen <= dropped
        assert self.figure("passed_packets_total") == self.sent - seen
        for what in ("offered", "passed", "dropped"):
            packets = self.figure(f"{what}_packets_total")
            assert self.figure(f"{what}_bytes_total") == FRAME_BYTES * packets


@contextmanager
def site_of(here: Controlled, name: str) -> Iterator[Site]:
    """A policy of this name."""
    policy = replace(POLICY, name=name)
    here.serve("c2", "c3")
    here.put(policy)
    here.await_switch()
    yield Site(here, policy)
    here.write(lambda draft: draft.delete(Policy, policy.name))
    here.clear()


@pytest.fixture
def site(running: Controlled, request: pytest.FixtureRequest) -> Iterator[Site]:
    """A policy of the test's own; a later one gets its number, and none of its counts."""
    with site_of(running, request.node.name.replace("_", "-")) as here:
        yield here


def test_counters_outlive_changes_of_the_limit(site: Site) -> None:
    """Also where no reading came between the packets and the change."""
    site.send(30)
    site.check(20)
    site.limit(max_pps=3)  # a burst of 30
    site.send(50)
    site.limit(max_pps=6)
    site.check(40)
    site.send(80)
    site.limit(max_pps=6, max_bps=10**9)  # of two meters one is as it was
    site.send(30)
    site.limit(max_bps=10**9)
    site.send(30)
    site.check(90)
    site.limit()
    site.send(30)
    site.check(90)


def test_counters_outlive_the_switch(site: Site) -> None:
    site.send(30)
    site.check(20)
    site.here.ovs.restart_vswitchd()
    until(
        lambda: site.here.ovs.ofctl("dump-flows", BRIDGE, "table=75"),
        lambda text: "meter:" in text,
        "the switch is programmed again",
        60,
    )
    site.here.await_switch()
    site.send(40)
    site.check(50)


def test_promtool_has_nothing_to_complain_about(site: Site) -> None:
    site.send(30)
    site.check(20)
    page = site.here.metrics()
    assert 'prewire_link_used_bps{port="p2"' in page
    assert f'prewire_policy_limit_bps{{policy="{site.policy.name}"' not in page  # of packets only
    assert shutil.which("promtool"), "apt-get install prometheus"
    checked = subprocess.run(
        ["promtool", "check", "metrics"], input=page, capture_output=True, text=True, check=False
    )
    assert (checked.returncode, checked.stdout, checked.stderr) == (0, "", "")


def test_packets_that_the_controller_is_told_of_are_counted(running: Controlled) -> None:
    running.serve()  # without a container
    running.await_switch()
    labels = {"switch": DPID, "reason": "empty"}
    before = running.metric("prewire_told_packets_total", **labels)
    running.connect(*range(1024, 1074))
    until(
        lambda: running.metric("prewire_told_packets_total", **labels) - before,
        lambda seen: seen == 50,
        "all packets are counted",
    )
    assert running.metric("prewire_told_dropped_packets_total", **labels) == 0
    running.clear()


def test_classic_ryu_counts_likewise() -> None:
    need("ryu")
    with controlled("ryu") as here, site_of(here, "ryu") as site:
        site.send(30)
        site.check(20)
        site.limit(max_pps=3)
        site.send(50)
        site.check(40)
