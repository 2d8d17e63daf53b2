"""The controller dies, or the switch's rules are changed behind its back."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.acceptance.site import ON_OS_KEN, Site
from tests.waiting import until
from topologies import openvswitch

pytestmark = pytest.mark.root

ALIEN = "table=20,priority=7,ip,nw_src=192.0.2.1,actions=drop"


@pytest.fixture
def loaded(site: Site) -> Iterator[Site]:
    """A service with three containers, and nothing odd on the switch."""
    site.add_service()
    site.add("c1", "c2", "c3")
    yield site
    site.ofctl("del-flows", "table=20,ip,nw_src=192.0.2.1")


def reconnect(site: Site) -> None:
    """The switch loses its controller and connects anew.

    Meanwhile it has another: without any, Open vSwitch would delete all flows of itself.
    """
    openvswitch.set_controllers(site.bridge, ["tcp:127.0.0.1:1"])
    until(
        lambda: site.prewire.status()["switches"][0]["connected"],
        lambda connected: not connected,
        "prewire notices that the switch is gone",
    )
    openvswitch.set_controllers(site.bridge, [site.prewire.target])
    site.prewire.await_switch()


def test_a_killed_controller_is_not_missed_and_finds_all_in_place(loaded: Site) -> None:
    """Traffic flows without a controller; the next one reads back and has nothing to send."""
    with loaded.load(connections=3, pause_ms=5) as load:
        loaded.prewire.kill_controller()
        assert set(loaded.get(30)) == {"c1", "c2", "c3"}
        loaded.prewire.start_controller()
        loaded.prewire.await_switch()
    load.assert_none_failed()
    assert loaded.prewire.counter("prewire_switch_rule_messages_total") == 0
    assert loaded.prewire.counter("prewire_switch_errors_total") == 0
    diff = loaded.prewire.cli_here("diff")
    assert (diff.returncode, diff.stderr) == (0, ""), diff.stdout
    assert "0 missing, 0 alien" in diff.stdout


@ON_OS_KEN
def test_a_change_made_while_the_controller_was_away_is_applied(loaded: Site) -> None:
    loaded.prewire.kill_controller()
    late = loaded.prewire.http.delete("/v1/services/web/containers/c1", params={"drain": 0})
    assert late.status_code == 204
    loaded.prewire.start_controller()
    loaded.prewire.await_switch()
    assert set(loaded.get(30)) == {"c2", "c3"}


def test_deleted_flows_are_reported_and_restored_by_a_reconnection(loaded: Site) -> None:
    loaded.ofctl("del-flows", "table=50")

    diff = loaded.prewire.cli_here("diff")

    assert diff.returncode == 3, diff
    of_containers, of_all = 3 * 2, 3
    assert f"{of_containers + of_all} missing, 0 alien" in diff.stdout, diff.stdout
    assert diff.stdout.count("missing table=endpoint") == of_containers + of_all, diff.stdout
    reconnect(loaded)
    assert set(loaded.get(30)) == {"c1", "c2", "c3"}
    assert loaded.prewire.cli_here("diff").returncode == 0


@ON_OS_KEN
def test_deleted_groups_are_restored_by_a_reconnection(loaded: Site) -> None:
    loaded.ofctl("del-groups")
    diff = loaded.prewire.cli_here("diff")
    assert diff.returncode == 3, diff
    assert "missing group_id=" in diff.stdout, diff.stdout
    reconnect(loaded)
    assert set(loaded.get(30)) == {"c1", "c2", "c3"}
    assert loaded.prewire.cli_here("diff").returncode == 0


def test_a_switch_that_lost_everything_is_filled_again(loaded: Site) -> None:
    sent = loaded.prewire.counter("prewire_switch_rule_messages_total")
    openvswitch.vsctl("del-controller", loaded.bridge)
    assert loaded.ofctl("dump-flows", "table=20").count("cookie") == 0
    openvswitch.set_controllers(loaded.bridge, [loaded.prewire.target])
    until(
        lambda: loaded.prewire.counter("prewire_switch_rule_messages_total"),
        lambda count: count > sent,
        "prewire programs the switch again",
    )
    loaded.prewire.await_switch()
    assert set(loaded.get(30)) == {"c1", "c2", "c3"}


def test_a_flow_of_somebody_else_is_reported_and_left_alone(loaded: Site) -> None:
    loaded.ofctl("add-flow", ALIEN)
    diff = loaded.prewire.cli_here("diff")
    assert diff.returncode == 3, diff
    assert "0 missing, 1 alien" in diff.stdout
    assert "192.0.2.1" in diff.stdout
    reconnect(loaded)
    assert "192.0.2.1" in loaded.ofctl("dump-flows", "table=20")


@ON_OS_KEN
def test_a_flow_with_our_cookie_that_nobody_wants_is_removed(loaded: Site) -> None:
    loaded.ofctl("add-flow", f"cookie=0x7000010400000999,{ALIEN}")
    assert "1 alien" in loaded.prewire.cli_here("diff").stdout
    reconnect(loaded)
    assert "192.0.2.1" not in loaded.ofctl("dump-flows", "table=20")
