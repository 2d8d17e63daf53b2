"""One network for all these tests, and prewire on either framework in control of it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.acceptance.deployment import Deployment, deployed
from tests.acceptance.site import Site
from tests.places import short_directory
from tests.ryu import Framework, need
from topologies import openvswitch
from topologies.mininet_net import RunningNetwork, running
from topologies.processes import run
from topologies.spec import single_switch


@pytest.fixture(scope="package")
def network() -> Iterator[RunningNetwork]:
    """One switch, four containers, no controller yet."""
    with openvswitch.ensure_running(), running(single_switch(4)) as net:
        yield net


@pytest.fixture(scope="package", params=["os-ken", "ryu"])
def deployment(request: pytest.FixtureRequest, network: RunningNetwork) -> Iterator[Deployment]:
    """prewire, with the network's switch connected."""
    framework: Framework = request.param
    need(framework)
    bridge = network.spec.switches[0].bridge
    with short_directory() as directory, deployed(framework, directory) as up:
        openvswitch.set_controllers(bridge, [up.target])
        try:
            up.await_switch(ports=len(network.spec.hosts))
            yield up
        finally:
            empty(bridge)


@pytest.fixture
def site(deployment: Deployment, network: RunningNetwork) -> Iterator[Site]:
    """The network with prewire in control; without services and connections."""
    deployment.clear()
    here = Site(network, deployment)
    here.forget_connections()  # ports come again, and clients of other tests left without a word
    yield here
    deployment.clear()


def empty(bridge: str) -> None:
    """Take a bridge's controllers away, and all they left."""
    openvswitch.vsctl("del-controller", bridge)
    for what in ("del-flows", "del-groups", "del-meters"):
        run(["ovs-ofctl", "-O", "OpenFlow13", what, bridge])
