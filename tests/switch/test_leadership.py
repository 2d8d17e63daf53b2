"""Several controllers on one switch: the leader dies, hangs, comes back; nothing is written twice.

The times are printed (`pytest -s`).
"""

from __future__ import annotations

import re
import signal
import time

import pytest

from nib.records import Leader
from nib.topology import Switch
from tests.ryu import Framework, need
from tests.switch.controllers import (
    BRIDGE,
    DPID,
    Controllers,
    controllers,
    has_service,
    is_led_by,
    seconds_until,
)
from tests.switch.generation import asked_for_master
from tests.waiting import until

TAKEN_OVER_S = 60.0  # beside other tests; alone it is 3 s, in tests/fabric
MESSAGES = "prewire_switch_rule_messages_total"


def said(what: str, seconds: float) -> None:
    print(f"\n{what}: {seconds:.2f} s")  # noqa: T201


def holds(here: Controllers, address: str) -> bool:
    """Whether the switch has flows for a VIP."""
    return any(address in flow for flow in here.flows())


@pytest.mark.parametrize("framework", ["os-ken", "ryu"])
def test_the_leader_is_killed(framework: Framework) -> None:
    """The other takes over, sends nothing that the switch has, and applies what was written."""
    need(framework)
    with controllers("one", "two", framework=framework) as here, here.nib() as nib:
        before, first = here.flows(), here.leader()
        killed = time.monotonic()
        here.kill("one")
        taken = seconds_until(nib, is_led_by("two"), killed)
        said("killed leader to a switch read back", taken)
        assert taken < TAKEN_OVER_S
        assert here.leader().epoch == first.epoch + 1
        assert here.metric("two", MESSAGES) == 0
        assert here.flows() == before

        here.start("one")
        here.await_standby("one")
        assert here.metric("one", "prewire_leader_epoch") == 0
        killed = time.monotonic()
        here.kill("two")
        nib.write(has_service("late", "10.0.0.101")).result(60)
        taken = seconds_until(nib, is_led_by("one"), killed)
        said("killed leader to intent of the gap applied", taken)
        assert taken < TAKEN_OVER_S
        assert holds(here, "10.0.0.101")
        assert here.metric("one", MESSAGES) > 0


def test_the_leader_hangs_and_comes_back() -> None:
    """Its lease ends; awake again it steps down, and the switch refuses what it sends."""
    with controllers("one", "two") as here, here.nib() as nib:
        stopped = time.monotonic()
        here.signal("one", signal.SIGSTOP)
        taken = seconds_until(nib, is_led_by("two"), stopped)
        said("stopped leader to a switch read back", taken)
        assert taken < TAKEN_OVER_S
        here.signal("one", signal.SIGCONT)
        until(
            lambda: here.metric("one", "prewire_leader_epoch"),
            lambda epoch: epoch == 0,
            "the first steps down",
        )
        nib.write(has_service("late", "10.0.0.101")).result(60)
        nib.when(is_led_by("two")).result(60)
        assert holds(here, "10.0.0.101")
        written = {flow.split("cookie=0x70")[1][:4] for flow in here.flows() if "cookie" in flow}
        assert written == {"0001", "0002"}, "by the first epoch, and by the second alone since"
        assert here.leader().controller == "two"


def test_the_epoch_is_the_generation_id_and_an_older_one_is_refused() -> None:
    with controllers("one") as here, here.nib() as nib:
        assert here.leader().epoch == 1
        here.kill("one")
        here.start("one")
        nib.when(lambda view: view.need(Leader, ()).epoch == 2).result(60)
        nib.when(is_led_by("one")).result(60)
        assert asked_for_master(here.ovs, BRIDGE, 1) == "refused as stale"
        assert asked_for_master(here.ovs, BRIDGE, 2) == "granted"


def test_a_switch_that_knows_a_later_epoch_makes_the_leader_go_beyond() -> None:
    """As after a database was restored from an old copy."""
    with controllers("one") as here, here.nib() as nib:
        assert asked_for_master(here.ovs, BRIDGE, 40) == "granted"
        here.kill("one")
        here.start("one")
        nib.when(lambda view: is_led_by("one")(view) and view.need(Leader, ()).epoch > 40).result(
            60
        )
        assert asked_for_master(here.ovs, BRIDGE, 40) == "refused as stale"


def test_a_restart_with_the_same_intent_sends_nothing() -> None:
    with controllers("one") as here, here.nib() as nib:
        before = here.flows()
        groups = here.ovs.ofctl("dump-groups", BRIDGE)
        here.kill("one")
        here.start("one")
        nib.when(lambda view: view.need(Leader, ()).epoch == 2).result(60)
        nib.when(is_led_by("one")).result(60)
        assert here.metric("one", MESSAGES) == 0
        assert here.flows() == before, "cookies still have the first epoch"
        assert here.ovs.ofctl("dump-groups", BRIDGE).splitlines()[1:] == groups.splitlines()[1:]


def test_the_leader_goes_on_without_the_database() -> None:
    with controllers("one", "two") as here, here.nib() as nib:
        here.database.stop()
        until(lambda: here.metric("one", "prewire_leader_epoch"), lambda epoch: epoch == 1, "leads")
        here.database.start()
        nib.write(has_service("late", "10.0.0.101")).result(60)
        nib.when(is_led_by("one")).result(60)
        assert here.leader().epoch == 1, "the leader resumed"
        assert holds(here, "10.0.0.101")


def test_a_bridge_with_the_datapath_id_of_another_is_refused() -> None:
    with controllers("one") as here, here.nib() as nib:
        port = here.settings["one"].controller_port
        here.ovs.add_bridge("br1", dpid=1, ports=["q1"])
        here.ovs.set_controller("br1", f"tcp:127.0.0.1:{port}")
        nib.when(lambda view: "another switch" in view.need(Switch, DPID).problem).result(60)
        switch = here.look(lambda view: view.need(Switch, DPID))
        addresses = set(re.findall(r"127\.0\.0\.1:\d+", switch.problem))
        assert len(addresses) == 2, switch.problem
        assert switch.connected, "the first goes on"
        nib.write(has_service("late", "10.0.0.101")).result(60)
        nib.when(is_led_by("one")).result(60)
        assert holds(here, "10.0.0.101")
        assert "cookie=0x70" not in here.ovs.ofctl("dump-flows", "br1")
        names = {port.name for port in here.look(lambda view: view.ports_of(DPID))}
        assert "q1" not in names
        assert "p1" in names


def test_a_role_that_another_controller_took_is_taken_back() -> None:
    """While nothing is programmed, too; a later epoch of another database is outdone."""
    with controllers("one") as here, here.nib() as nib:
        epoch = here.leader().epoch
        assert asked_for_master(here.ovs, BRIDGE, epoch) == "granted"
        nib.write(has_service("late", "10.0.0.101")).result(60)
        nib.when(is_led_by("one")).result(60)
        assert holds(here, "10.0.0.101")
        assert here.leader().epoch == epoch

        assert asked_for_master(here.ovs, BRIDGE, 40) == "granted"
        nib.when(lambda view: is_led_by("one")(view) and view.need(Leader, ()).epoch == 41).result(
            60
        )
        assert asked_for_master(here.ovs, BRIDGE, 40) == "refused as stale"
