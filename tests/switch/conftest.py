"""Fixtures that several modules share; a module may have its own of the same name."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.needs import need_ovs
from tests.ovs import PrivateOvs
from tests.switch.managed import BRIDGE
from tests.switch.management import Management
from topologies import openvswitch


@pytest.fixture(scope="module")
def ovs() -> Iterator[PrivateOvs]:
    """A switch with one bridge, BRIDGE, without root."""
    need_ovs()
    with PrivateOvs() as private:
        private.add_bridge(BRIDGE, dpid=1, ports=("p1", "p2"))
        yield private


@pytest.fixture(scope="module")
def peer(ovs: PrivateOvs) -> Iterator[Management]:
    """A connection to it."""
    with Management(ovs, BRIDGE) as connected:
        yield connected


@pytest.fixture(scope="module")
def open_vswitch(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """The machine's own, started for these tests unless it runs."""
    with openvswitch.ensure_running(tmp_path_factory.mktemp("openvswitch")):
        yield
