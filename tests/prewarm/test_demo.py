"""What `make demo` shows before its surges, with tokens, as there."""

from __future__ import annotations

import io

import pytest
from rich.console import Console

from prewire import demo, up
from prewire.settings import load
from tests.places import free_ports, short_directory
from topologies import openvswitch
from topologies.mininet_net import running
from topologies.spec import single_switch

pytestmark = pytest.mark.root


def test_the_acts_of_the_demo() -> None:
    with short_directory() as state, openvswitch.ensure_running():
        given = load(state_dir=state, **free_ports() | {"access": "tokens"})
        console = Console(file=io.StringIO(), width=120)
        controller = f"tcp:127.0.0.1:{given.controller_port}"
        with (
            up.running(given, state / "log"),
            running(single_switch(3), [controller]) as network,
        ):
            demo.acts(console, given, network)
        assert isinstance(console.file, io.StringIO)
        said = console.file.getvalue()
    assert "12 established connections" in said
    assert "0 broken" in said
    assert "$ prewire status" in said
    assert "service web: the switch picks a slot" in said
