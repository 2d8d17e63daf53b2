"""Networks of several switches on the machine's Open vSwitch: cabling, faults, removal."""

from __future__ import annotations

import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import networkx as nx
import pytest

from tests.waiting import until
from topologies import openvswitch, processes
from topologies.errors import NetworkError
from topologies.mininet_net import RunningNetwork, clean_leftovers, running
from topologies.openvswitch import vsctl
from topologies.shapes import from_graph, from_topohub, leaf_spine, ring, tree
from topologies.spec import NetworkSpec, interface_name

pytestmark = [pytest.mark.root, pytest.mark.usefixtures("open_vswitch")]

SPEC = leaf_spine(spines=2, leaves=3, containers=1, clients=2)
LEAF, FAR, SPINE = "leaf1", "leaf3", "spine1"
TARGETS = ("tcp:127.0.0.1:1", "tcp:127.0.0.1:2")
FAR_URL = f"http://{SPEC.host('c3').address}:8080/"

HOLD = """
import sys
from pathlib import Path
from topologies.mininet_net import running
from topologies.shapes import leaf_spine

with running(leaf_spine(2, 2, containers=1), state_dir=Path(sys.argv[1])) as network:
    network.fabric.cut("leaf1", "spine1")
    print("up", flush=True)
    sys.stdin.read()
"""


@pytest.fixture(scope="class")
def network(
    open_vswitch: None, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[RunningNetwork]:
    """One network for tests that leave it as they found it."""
    with running(SPEC, TARGETS, state_dir=tmp_path_factory.mktemp("shared")) as up:
        yield up


@pytest.fixture
def joined(network: RunningNetwork) -> Iterator[RunningNetwork]:
    """The client on the first leaf and the container on the last reach each other over any spine.

    A leaf sends out of its first port to a spine that is live.
    """
    for leaf in (LEAF, FAR):
        add_group(leaf)
    for name in (LEAF, FAR, "spine1", "spine2"):
        add_flows(name)
    yield network
    for switch in SPEC.switches:
        for what in ("del-flows", "del-groups"):
            ofctl(what, bridge(switch.name))


def add_group(leaf: str) -> None:
    either = "bucket=watch_port:1,output:1,bucket=watch_port:2,output:2"
    ofctl("add-group", bridge(leaf), f"group_id=1,type=ff,{either}")


def add_flows(switch: str) -> None:
    host = {leaf: SPEC.switch_port(name)[1] for leaf, name in ((LEAF, "client"), (FAR, "c3"))}
    if switch in host:
        to_host = f"actions=output:{host[switch]}"
        flows = [f"in_port={host[switch]},actions=group:1"]
        flows += [f"in_port=1,{to_host}", f"in_port=2,{to_host}"]
    else:
        flows = ["in_port=1,actions=output:3", "in_port=3,actions=output:1"]
    for flow in flows:
        ofctl("add-flow", bridge(switch), flow)


def bridge(switch: str) -> str:
    return SPEC.switch(switch).bridge


def ofctl(*args: str) -> str:
    return processes.run(["ovs-ofctl", "-O", "OpenFlow13", *args])


def flows_of(switch: str) -> list[str]:
    return ofctl("--no-stats", "dump-flows", bridge(switch)).splitlines()


def await_state(switch: str, port: int, state: str) -> None:
    """Return when the switch says LIVE or LINK_DOWN of a port."""

    def look() -> str:
        shown = ofctl("dump-ports-desc", bridge(switch))
        found = re.search(rf"^ {port}\(.*?state: +(\w+)", shown, re.DOTALL | re.MULTILINE)
        assert found is not None, shown
        return found[1]

    until(look, lambda seen: seen == state, f"port {port} of {switch} is {state}")


def container_answers(network: RunningNetwork) -> bool:
    get = ["curl", "-s", "--max-time", "2", FAR_URL]
    return '"c3"' in network.run("client", get).stdout


def await_answer(network: RunningNetwork) -> None:
    until(lambda: container_answers(network), bool, "the far container answers")


def settings_of(switch: str) -> dict[str, str]:
    """What of a bridge and its ports a restart must not change."""
    columns = ("datapath_id", "datapath_type", "fail_mode", "protocols", "external_ids")
    found = {column: vsctl("get", "Bridge", bridge(switch), column) for column in columns}
    found["controllers"] = " ".join(sorted(vsctl("get-controller", bridge(switch)).split()))
    for port in vsctl("list-ports", bridge(switch)).split():
        for column in ("ofport", "ofport_request", "external_ids"):
            found[f"{port} {column}"] = vsctl("get", "Interface", port, column)
    return found


def assert_cabled(network: RunningNetwork) -> None:
    """Every link between switches is a veth pair of the two ports that the spec names."""
    for link in network.spec.trunks:
        one, other = (Path("/sys/class/net", n) for n in (link.a_interface, link.b_interface))
        for here, there in ((one, other), (other, one)):
            assert (here / "iflink").read_text() == (there / "ifindex").read_text()


class TestASharedNetwork:
    def test_bridges_and_ports_have_the_numbers_of_the_spec(self, network: RunningNetwork) -> None:
        for switch in network.spec.switches:
            found = settings_of(switch.name)
            assert found["datapath_id"].strip('"\n') == switch.dpid_hex16
            assert found["fail_mode"].strip() == "secure"
            assert found["datapath_type"].strip() == "netdev"
            assert found["controllers"].split() == list(TARGETS)
            ends = [
                end for link in network.spec.links for end in link.ends() if end[0] == switch.name
            ]
            for name, number in ends:
                assert found[f"{interface_name(name, number)} ofport"].strip() == str(number)

    def test_links_join_the_ports_of_the_spec(self, network: RunningNetwork) -> None:
        assert len(network.spec.trunks) == 6
        assert_cabled(network)

    def test_container_ports_name_their_container(self, network: RunningNetwork) -> None:
        for host in network.spec.containers:
            switch, _ = network.spec.switch_port(host.name)
            ids = settings_of(switch.name)[f"{network.spec.port_of(host.name)[1]} external_ids"]
            assert f"iface-id={host.name}" in ids
            assert host.mac in ids

    def test_a_packet_crosses_the_fabric(self, joined: RunningNetwork) -> None:
        await_answer(joined)

    def test_a_cut_link_is_down_at_both_ends_until_it_is_mended(
        self, network: RunningNetwork
    ) -> None:
        network.fabric.cut(SPINE, LEAF)
        await_state(LEAF, 1, "LINK_DOWN")
        await_state(SPINE, 1, "LINK_DOWN")
        await_state(LEAF, 2, "LIVE")
        await_state(SPINE, 3, "LIVE")
        network.fabric.mend(LEAF, SPINE)
        await_state(LEAF, 1, "LIVE")
        await_state(SPINE, 1, "LIVE")

    def test_traffic_survives_a_lost_spine(self, joined: RunningNetwork) -> None:
        await_answer(joined)
        joined.fabric.lose(SPINE)
        try:
            await_state(LEAF, 1, "LINK_DOWN")
            await_state(FAR, 1, "LINK_DOWN")
            await_answer(joined)
            assert flows_of(SPINE) == []
            assert vsctl("get-controller", bridge(SPINE)) == ""
        finally:
            joined.fabric.restore(SPINE)
        await_state(LEAF, 1, "LIVE")
        assert sorted(vsctl("get-controller", bridge(SPINE)).split()) == list(TARGETS)
        assert not container_answers(joined), "it came back empty, and the leaves use it again"

    def test_a_lost_leaf_takes_its_hosts_along(self, joined: RunningNetwork) -> None:
        await_answer(joined)
        joined.fabric.lose(FAR)
        try:
            until(
                lambda: joined.run("c3", ["ip", "link", "show", "up"]).stdout,
                lambda shown: "NO-CARRIER" in shown,
                "the host has no carrier",
            )
            assert not container_answers(joined)
        finally:
            joined.fabric.restore(FAR)
        add_group(FAR)
        add_flows(FAR)
        await_answer(joined)

    def test_a_restarted_switch_is_empty_and_otherwise_the_same(
        self, joined: RunningNetwork
    ) -> None:
        await_answer(joined)
        before, others = settings_of(SPINE), flows_of(LEAF)
        joined.fabric.restart(SPINE)
        assert settings_of(SPINE) == before
        assert flows_of(SPINE) == []
        assert flows_of(LEAF) == others
        await_state(LEAF, 1, "LIVE")
        add_flows(SPINE)
        await_answer(joined)

    def test_a_restarted_leaf_knows_its_containers(self, network: RunningNetwork) -> None:
        before = settings_of(FAR)
        assert "iface-id=c3" in str(before)
        network.fabric.restart(FAR)
        assert settings_of(FAR) == before

    def test_controllers_change_for_every_switch(self, network: RunningNetwork) -> None:
        network.fabric.connect(["tcp:127.0.0.1:3"])
        try:
            for switch in SPEC.switches:
                assert settings_of(switch.name)["controllers"] == "tcp:127.0.0.1:3"
            with pytest.raises(NetworkError, match="pw-leaf1 reached no controller within 1 s"):
                network.await_controllers(timeout_s=1)
        finally:
            network.fabric.connect(TARGETS)

    def test_what_is_not_in_the_spec_is_refused(self, network: RunningNetwork) -> None:
        with pytest.raises(KeyError, match="no link between 'leaf1' and 'leaf2'"):
            network.fabric.cut("leaf1", "leaf2")
        for fault in (network.fabric.lose, network.fabric.restore, network.fabric.restart):
            with pytest.raises(KeyError, match="no switch 'client'"):
                fault("client")


@pytest.mark.parametrize(
    "spec",
    [
        ring(3, containers=1),
        tree(2, 3, containers=0),
        from_graph(nx.MultiGraph([("a", "b"), ("a", "b")]), containers=0),
        from_graph(nx.icosahedral_graph(), containers=0, clients=12),
        from_topohub("topozoo/Abilene", containers=0),
    ],
    ids=["ring", "tree", "parallel links", "12 switches, 30 links", "Abilene"],
)
def test_every_shape_comes_up_and_goes(spec: NetworkSpec, tmp_path: Path) -> None:
    with running(spec, state_dir=tmp_path) as network:
        assert set(openvswitch.bridges()) >= {switch.bridge for switch in spec.switches}
        assert_cabled(network)
    assert leftover_names() == []


def test_the_end_in_the_middle_of_faults_leaves_nothing(tmp_path: Path) -> None:
    def fail(network: RunningNetwork) -> None:
        network.fabric.lose("leaf2")
        network.fabric.cut("leaf1", "spine1")
        vsctl("del-br", "pw-spine2")  # as in the middle of a restart
        raise ZeroDivisionError

    with (
        pytest.raises(ZeroDivisionError),
        running(leaf_spine(2, 2, containers=0), state_dir=tmp_path) as network,
    ):
        fail(network)
    assert leftover_names() == []


def test_a_killed_fabric_is_cleaned_on_request(tmp_path: Path) -> None:
    child = subprocess.Popen(
        [sys.executable, "-c", HOLD, str(tmp_path)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    assert child.stdout is not None
    assert child.stdout.readline() == b"up\n"
    child.send_signal(signal.SIGKILL)
    child.communicate()
    assert "pw-spine2-eth2" in leftover_names()

    found = clean_leftovers(tmp_path)

    assert set(found.bridges) == {"pw-leaf1", "pw-leaf2", "pw-spine1", "pw-spine2"}
    assert {"pw-leaf1-eth1", "pw-spine1-eth1"} <= set(found.interfaces)
    assert leftover_names() == []


def leftover_names() -> list[str]:
    interfaces = [entry.name for entry in Path("/sys/class/net").iterdir()]
    return [name for name in (*interfaces, *openvswitch.bridges()) if name.startswith("pw-")]
