"""The doctor asks the controller what is on its switches."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

from nib.topology import Switch
from tests import commands
from tests.switch.controlled import BRIDGE, Controlled, controlled

FOREIGN = "cookie=0x1234,table=5,priority=7,in_port=77,actions=drop"


@pytest.fixture(scope="module")
def here() -> Iterator[Controlled]:
    """Read back only where somebody asks."""
    with controlled(audit_seconds=0) as running:
        running.serve("c2", "c3")
        running.await_shares(c2=32, c3=32)
        yield running


def environment(here: Controlled) -> dict[str, str]:
    """Its database, and no Open vSwitch on this host."""
    return {"PREWIRE_NIB": here.database.remote, "PREWIRE_SWITCH_DB": ""}


def doctor(here: Controlled) -> Any:
    done = commands.run_here("doctor", "-o", "json", env=environment(here))
    assert done.returncode in (0, 3), done
    return json.loads(done.stdout)


def test_a_switch_is_read_back(here: Controlled) -> None:
    sound = doctor(here)
    assert sound["items"] == []
    (unseen,) = sound["not_looked_at"]
    assert "no Open vSwitch" in unseen

    here.ovs.ofctl("add-flow", BRIDGE, FOREIGN)
    here.ovs.ofctl("del-flows", BRIDGE, "table=50")
    found = {each["code"]: each for each in doctor(here)["items"]}
    assert found.keys() == {"FLW01", "FLW02"}
    assert "in_port=77" in found["FLW01"]["what"]
    assert "table=endpoint" in found["FLW02"]["what"]

    again = [each["code"] for each in doctor(here)["items"]]
    assert again == ["FLW01"], "what was missing is back, what is foreign was left alone"


def test_people_get_a_table_and_what_helps(here: Controlled) -> None:
    here.ovs.ofctl("add-flow", BRIDGE, FOREIGN)
    done = commands.run_here("doctor", env=environment(here))
    heading, finding, remedy, unseen = done.stdout.splitlines()
    assert heading.split() == ["CODE", "SEVERITY", "WHERE", "WHAT"]
    assert finding.split()[:4] == ["FLW01", "warning", "switch", BRIDGE]
    assert remedy.startswith("FLW01: `ovs-ofctl -O OpenFlow13 del-flows --strict br0 FLOW`")
    assert unseen.startswith("not looked at: ")
    assert done.returncode == 3


def test_a_switch_that_is_not_connected(here: Controlled) -> None:
    here.ovs.vsctl("del-controller", BRIDGE)
    here.nib.when(lambda view: not any(s.connected for s in view.all(Switch))).result(60)
    assert "SWT02" in [each["code"] for each in doctor(here)["items"]]
