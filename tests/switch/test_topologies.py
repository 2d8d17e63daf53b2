"""The Mininet network on the machine's Open vSwitch: real HTTP, and nothing left afterwards."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from topologies import openvswitch, processes
from topologies.errors import NetworkError
from topologies.ledger import Leftovers
from topologies.mininet_net import RunningNetwork, clean_leftovers, running
from topologies.processes import ProcessId, identity, is_alive
from topologies.spec import LinkSpec, NetworkSpec, SwitchSpec, single_switch

pytestmark = [pytest.mark.root, pytest.mark.usefixtures("open_vswitch")]

SPEC = single_switch(containers=2)
URL = "http://10.0.0.11:8080/"

HOLD = """
import sys
from pathlib import Path
from topologies.mininet_net import running
from topologies.spec import single_switch

with running(single_switch(containers=2), state_dir=Path(sys.argv[1])) as network:
    network.popen("client", ["sleep", "600"])
    print("up", flush=True)
    sys.stdin.read()
"""


@pytest.fixture(scope="class")
def network(
    open_vswitch: None, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[RunningNetwork]:
    """One network for the tests that only look at it; without a controller, it just forwards."""
    with running(SPEC, state_dir=tmp_path_factory.mktemp("shared")) as up:
        forward_everything("pw-s1")
        yield up


def namespaces() -> set[str]:
    """Every network namespace that some process holds."""
    links = [entry / "ns" / "net" for entry in Path("/proc").iterdir() if entry.name.isdigit()]
    found = set()
    for link in links:
        try:
            found.add(os.readlink(link))
        except OSError:  # the process ended while we looked
            continue
    return found


def leftover_names() -> list[str]:
    interfaces = [entry.name for entry in Path("/sys/class/net").iterdir()]
    return [name for name in (*interfaces, *openvswitch.bridges()) if name.startswith("pw-")]


def host_processes(network: RunningNetwork) -> list[ProcessId]:
    found = [identity(network.pid(host.name)) for host in network.spec.hosts]
    return [process for process in found if process is not None]


class TestARunningNetwork:
    def test_container_answers_over_http(self, network: RunningNetwork) -> None:
        answer = network.run("client", ["curl", "-si", "--max-time", "5", URL])
        head, _, body = answer.stdout.partition("\r\n\r\n")
        assert head.startswith("HTTP/1.1 200 OK")
        assert "X-Container: c1" in head
        assert json.loads(body) == {"container": "c1", "connections": 1}

    def test_large_file_arrives_whole(self, network: RunningNetwork) -> None:
        size = ["curl", "-s", "--max-time", "10", "-o", "/dev/null", "-w", "%{size_download}"]
        assert network.run("client", [*size, f"{URL}1m"]).stdout == str(1 << 20)

    def test_container_answers_over_ipv6(self, network: RunningNetwork) -> None:
        address = network.spec.host("c2").address6
        get = ["curl", "-s", "--max-time", "5", f"http://[{address}]:8080/"]
        assert '"c2"' in network.run("client", get).stdout

    def test_ipv6_addresses_are_usable_at_once(self, network: RunningNetwork) -> None:
        for host in network.spec.hosts:
            shown = network.run(host.name, ["ip", "-6", "-o", "address", "show", "scope", "global"])
            assert f"{host.address6}/64" in shown.stdout
            every = network.run(host.name, ["ip", "-6", "-o", "address", "show"]).stdout
            assert "fe80::" in every
            assert "tentative" not in every

    def test_container_ports_name_their_container(self, network: RunningNetwork) -> None:
        for host in network.spec.containers:
            dpid, port = network.spec.port_of(host.name)
            ids = openvswitch.vsctl("get", "Interface", port, "external_ids")
            assert f"iface-id={host.name}" in ids
            assert host.mac in ids
            assert openvswitch.vsctl("get", "Bridge", "pw-s1", "datapath_id").strip('"\n') == dpid

    def test_openflow_port_numbers_are_those_of_the_spec(self, network: RunningNetwork) -> None:
        for host in network.spec.hosts:
            _, number = network.spec.switch_port(host.name)
            _, port = network.spec.port_of(host.name)
            assert openvswitch.vsctl("get", "Interface", port, "ofport").strip() == str(number)

    def test_bridge_is_secure_and_speaks_openflow_13(self, network: RunningNetwork) -> None:
        bridge = network.spec.switches[0].bridge
        columns = ("fail_mode", "protocols", "datapath_type")
        values = [openvswitch.vsctl("get", "Bridge", bridge, column).strip() for column in columns]
        assert values == ["secure", "[OpenFlow13]", "netdev"]

    def test_server_stops_and_starts(self, network: RunningNetwork) -> None:
        get = ["curl", "-s", "--max-time", "5", "http://10.0.0.12:8080/"]
        for how in (signal.SIGTERM, signal.SIGKILL, signal.SIGQUIT):
            network.stop_server("c2", how)
            assert network.run("client", get).returncode == 7, "connection refused"
            network.start_server("c2")
            assert '"c2"' in network.run("client", get).stdout

    def test_a_slow_command_is_killed(self, network: RunningNetwork) -> None:
        with pytest.raises(subprocess.TimeoutExpired):
            network.run("client", ["tail", "-f", "/dev/null"], timeout_s=0.2)

    def test_names_in_use_are_refused(self, network: RunningNetwork, tmp_path: Path) -> None:
        with pytest.raises(NetworkError, match="pw-s1"), running(SPEC, state_dir=tmp_path):
            pass
        assert network.run("client", ["curl", "-sf", "--max-time", "5", URL]).returncode == 0


def test_the_end_leaves_nothing(tmp_path: Path) -> None:
    before = namespaces()
    with running(SPEC, state_dir=tmp_path) as network:
        server = network.popen("gateway", ["sleep", "600"])
        inside = host_processes(network)
        assert len(namespaces()) == len(before) + len(SPEC.hosts)
    assert server.returncode is not None
    assert not any(is_alive(process) for process in inside)
    assert namespaces() <= before
    assert leftover_names() == []
    assert [entry.name for entry in tmp_path.iterdir()] == ["lock"]


def test_a_host_without_an_ipv6_address_has_no_ipv6(tmp_path: Path) -> None:
    spec = replace(SPEC, hosts=tuple(replace(host, address6=None) for host in SPEC.hosts))
    with running(spec, state_dir=tmp_path) as network:
        forward_everything("pw-s1")
        assert network.run("client", ["ip", "-6", "address", "show"]).stdout == ""
        assert '"c1"' in network.run("client", ["curl", "-s", "--max-time", "5", URL]).stdout


def test_an_error_in_the_body_leaves_nothing(tmp_path: Path) -> None:
    with pytest.raises(ZeroDivisionError), running(SPEC, state_dir=tmp_path):
        raise ZeroDivisionError
    assert leftover_names() == []


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_leaves_nothing(tmp_path: Path, number: signal.Signals) -> None:
    child = held_network(tmp_path)
    child.send_signal(number)
    child.communicate(timeout=60)
    assert child.returncode != 0
    assert leftover_names() == []


def test_a_killed_run_is_cleaned_by_the_next(tmp_path: Path) -> None:
    child = held_network(tmp_path)
    killed = kill(child)
    assert leftover_names() != []
    assert any(is_alive(process) for process in killed), "nginx outlives its network"

    with running(SPEC, state_dir=tmp_path):
        assert not any(is_alive(process) for process in killed)
    assert leftover_names() == []


def test_a_killed_run_is_cleaned_on_request(tmp_path: Path) -> None:
    kill(held_network(tmp_path))

    found = clean_leftovers(tmp_path)

    assert found.bridges == ("pw-s1",)
    assert "pw-s1-eth1" in found.interfaces, "the client's namespace had a process in it"
    assert found.processes
    assert leftover_names() == []
    assert clean_leftovers(tmp_path) == Leftovers()


def test_a_tagged_bridge_without_a_journal_is_removed(tmp_path: Path) -> None:
    with running(SPEC, state_dir=tmp_path):
        openvswitch.vsctl("add-br", "pw-old", "--", "set", "Bridge", "pw-old", tag_of(tmp_path))
        openvswitch.vsctl("add-br", "pw-other", "--", "set", "Bridge", "pw-other", tag_of(Path()))
    try:
        assert openvswitch.bridges() == ("pw-other",)
    finally:
        openvswitch.delete_bridges(["pw-other"])


def test_one_network_at_a_time(tmp_path: Path) -> None:
    child = held_network(tmp_path)
    try:
        with (
            pytest.raises(NetworkError, match=f"process {child.pid}"),
            running(SPEC, state_dir=tmp_path),
        ):
            pass
    finally:
        child.communicate(timeout=60)


def test_unreachable_controllers_are_reported(tmp_path: Path) -> None:
    targets = ["tcp:127.0.0.1:1", "tcp:127.0.0.1:2"]
    with running(SPEC, targets, state_dir=tmp_path) as network:
        assert sorted(openvswitch.vsctl("get-controller", "pw-s1").split()) == targets
        backoff = openvswitch.vsctl("--bare", "--columns=max_backoff", "list", "Controller")
        assert backoff.split() == ["1000", "1000"]
        with pytest.raises(NetworkError, match="pw-s1 reached no controller within 1 s"):
            network.await_controllers(timeout_s=1)


def test_several_switches_carry_traffic(tmp_path: Path) -> None:
    one = single_switch(containers=1)
    moved = replace(one.links[-1], b="s2", b_port=1)
    trunk = LinkSpec("s1", "s2", 9, 9)
    switches = (*one.switches, SwitchSpec("s2", 2))
    spec = NetworkSpec(one.hosts, switches, (*one.links[:-1], moved, trunk))
    with running(spec, state_dir=tmp_path) as network:
        for switch in spec.switches:
            forward_everything(switch.bridge)
        answer = network.run("client", ["curl", "-s", "--max-time", "5", URL])
    assert '"c1"' in answer.stdout
    assert leftover_names() == []


def forward_everything(bridge: str) -> None:
    processes.run(["ovs-ofctl", "-O", "OpenFlow13", "add-flow", bridge, "actions=NORMAL"])


def tag_of(state_dir: Path) -> str:
    return f'external_ids:prewire-topology="{state_dir}"'


def held_network(state_dir: Path) -> subprocess.Popen[str]:
    """A network in a process of its own that stays up until its standard input closes."""
    child = subprocess.Popen(
        [sys.executable, "-c", HOLD, str(state_dir)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert child.stdout is not None
    assert child.stdout.readline().strip(), "the network did not come up"
    return child


def kill(child: subprocess.Popen[str]) -> list[ProcessId]:
    """Kill a held network the hard way and hand back what ran in its namespaces."""
    spaces = namespaces_below(child.pid)
    inside = processes.in_namespaces(spaces)
    child.kill()
    child.communicate()
    return list(inside)


def namespaces_below(pid: int) -> set[str]:
    """The network namespaces of a process's children, without the one of this test."""
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    spaces = {processes.network_namespace(child) for child in children}
    return {space for space in spaces if space} - {os.readlink("/proc/self/ns/net")}
