"""A leaf-spine network, with a database of three servers and two controllers over it."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import pytest

from tests.acceptance.conftest import empty
from tests.fabric.deployment import FabricDeployment, deployed
from tests.fabric.site import FabricSite
from tests.places import short_directory
from tests.ryu import need
from topologies import openvswitch
from topologies.mininet_net import RunningNetwork, running
from topologies.shapes import leaf_spine

# Where figures are stored that tests measure, one JSON object a line.
FIGURES: Final = Path(os.environ.get("PREWIRE_FIGURES", "build/figures.jsonl"))


@pytest.fixture(scope="package")
def network() -> Iterator[RunningNetwork]:
    """Two spines, four leaves, two containers and a client on each; no controller yet."""
    spec = leaf_spine(2, 4, containers=2, clients=4)
    with openvswitch.ensure_running(), running(spec) as net:
        yield net


@pytest.fixture(scope="package")
def deployment(network: RunningNetwork) -> Iterator[FabricDeployment]:
    """prewire, with all switches connected and all links found."""
    need("os-ken")
    bridges = [switch.bridge for switch in network.spec.switches]
    with short_directory() as directory, deployed(directory) as up:
        network.fabric.connect(up.targets)
        try:
            up.await_fabric(network.spec)
            yield up
        finally:
            for bridge in bridges:
                empty(bridge)


@pytest.fixture
def site(deployment: FabricDeployment, network: RunningNetwork) -> Iterator[FabricSite]:
    """The network with prewire in control, whole; without services and connections."""
    deployment.repair()
    deployment.clear()
    here = FabricSite(network, deployment)
    here.forget_connections()
    yield here
    here.repair()
    deployment.repair()
    deployment.await_fabric(network.spec)
    deployment.clear()


@pytest.fixture
def figure(request: pytest.FixtureRequest) -> Any:
    """Prints a figure and stores it: `figure("gap_ms", 12.3)`."""

    def keep(name: str, value: float, **more: Any) -> None:
        line = {"test": request.node.name, "figure": name, "value": round(value, 1), **more}
        FIGURES.parent.mkdir(parents=True, exist_ok=True)
        with FIGURES.open("a") as file:
            file.write(json.dumps(line) + "\n")
        print(f"\n{line['test']}: {name} {line['value']}", flush=True)  # noqa: T201

    return keep
