"""The private Open vSwitch of the tests is private, real and gone afterwards."""

import os
import socket
from pathlib import Path

import pytest

from tests.ovs import OvsError, PrivateOvs


def test_dummy_bridges_trace_packets(private_ovs: PrivateOvs) -> None:
    private_ovs.add_bridge("br0", dpid=0x2A, ports=("p1", "p2"))
    private_ovs.ofctl("add-flow", "br0", "in_port=1,actions=output:2")

    trace = private_ovs.appctl("ofproto/trace", "br0", "in_port=1,icmp")

    assert "Datapath actions: 2" in trace
    assert "dpid:000000000000002a" in private_ovs.ofctl("show", "br0")


def test_protocols_are_those_asked_for(private_ovs: PrivateOvs) -> None:
    private_ovs.add_bridge("br0", dpid=1, protocols="OpenFlow13")

    with pytest.raises(OvsError, match="version negotiation failed"):
        private_ovs.ofctl("show", "br0", version="OpenFlow15")


def test_restart_keeps_bridges_and_loses_flows(private_ovs: PrivateOvs) -> None:
    private_ovs.add_bridge("br0", dpid=1, ports=("p1",))
    private_ovs.ofctl("add-flow", "br0", "in_port=1,actions=drop")
    before = private_ovs.vswitchd_pid

    private_ovs.restart_vswitchd()

    assert private_ovs.vswitchd_pid != before
    assert "in_port" not in private_ovs.ofctl("dump-flows", "br0")
    assert "1(p1)" in private_ovs.ofctl("show", "br0")


def test_bridge_reaches_its_controller(private_ovs: PrivateOvs) -> None:
    private_ovs.add_bridge("br0", dpid=1)
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.settimeout(10)
        private_ovs.set_controller("br0", f"tcp:127.0.0.1:{listener.getsockname()[1]}")
        connection, _ = listener.accept()
        with connection:
            hello = connection.recv(8)
    assert hello[1] == 0, "the first message is OFPT_HELLO"


def test_nothing_is_left() -> None:
    with PrivateOvs() as ovs:
        directory, pid = ovs.directory, ovs.vswitchd_pid
        ovs.add_bridge("br0", dpid=1)
    assert not directory.exists()
    assert not Path(f"/proc/{pid}").exists()


def test_two_are_strangers() -> None:
    with PrivateOvs() as one, PrivateOvs() as other:
        one.add_bridge("br0", dpid=1)
        assert other.vsctl("list-br") == ""


def test_a_failing_command_says_what_failed(private_ovs: PrivateOvs) -> None:
    with pytest.raises(OvsError, match=r"ovs-vsctl.*no bridge named nowhere"):
        private_ovs.vsctl("list-ports", "nowhere")


@pytest.mark.root
def test_netdev_lives_in_its_own_namespace() -> None:
    with PrivateOvs("netdev") as ovs:
        ovs.add_bridge("br0", dpid=1, ports=("p1", "p2"))
        assert os.readlink(f"/proc/{ovs.vswitchd_pid}/ns/net") != os.readlink("/proc/self/ns/net")
        assert not Path("/sys/class/net/p1").exists()
        assert "2(p2)" in ovs.ofctl("show", "br0")
