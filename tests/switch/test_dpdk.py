"""Open vSwitch on DPDK without a network card: packets pass, and ports police."""

from __future__ import annotations

import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest

from prewire.host.policer import policer_rows
from qos.queues import PortQueues, QueuePlan
from tests.dpdk import dpdk_network
from tests.waiting import until
from topologies import hugepages, iperf
from topologies.dpdk import DpdkNetwork
from topologies.hugepages import NoHugepages
from topologies.iperf import Load
from topologies.spec import single_switch

pytestmark = [pytest.mark.root, pytest.mark.alone]

BRIDGE: Final = "pw-s1"
M: Final = 1_000_000
SECONDS: Final = 3.0
SETTLED: Final = 1.5  # bursts are used up
BULK, SURE = 0, 1  # queues, by the host that sends


@pytest.fixture(scope="module")
def net() -> Iterator[DpdkNetwork]:
    """Client and gateway reach c1, by queues of their own."""
    with dpdk_network(single_switch(1)) as network:
        flows = [
            "priority=20,arp,actions=NORMAL",
            f"priority=10,in_port=1,actions=set_queue:{BULK},NORMAL",
            f"priority=10,in_port=2,actions=set_queue:{SURE},NORMAL",
            "priority=1,actions=NORMAL",
        ]
        for flow in flows:
            network.switch.ofctl("add-flow", BRIDGE, flow)
        yield network


def set_queues(net: DpdkNetwork, plan: PortQueues) -> None:
    """Have the port to c1 police like this, as the node agent has."""
    _, port = net.spec.port_of("c1")
    rows = policer_rows(plan)
    words = ["--id=@qos", "create", "QoS", f"type={rows.type}", *_other_config(rows.other_config)]
    words.append("queues=" + ",".join(f"{number}=@q{number}" for number in rows.queues))
    for number, values in rows.queues.items():
        words += ["--", f"--id=@q{number}", "create", "Queue", *_other_config(values)]
    net.switch.vsctl("set", "Port", port, "qos=@qos", "--", *words)


def _other_config(values: dict[str, str] | object) -> list[str]:
    assert isinstance(values, dict)
    return [f"other_config:{name}={value}" for name, value in values.items()]


def plan(rate_bps: int, bulk_bps: int, sure_bps: int) -> PortQueues:
    """Two queues that may use all of the rate, and what each is sure of."""
    queues = (
        QueuePlan(BULK, "default", 0, bulk_bps, rate_bps, 4, 12_000),
        QueuePlan(SURE, "realtime", 46, sure_bps, rate_bps, 0, 12_000),
    )
    return PortQueues(rate_bps, queues)


def udp(net: DpdkNetwork, host: str, mbps: float, port: int) -> Load:
    """Datagrams to c1."""
    address = net.spec.host("c1").address
    return iperf.start_udp(net, host, address, mbps * M, SECONDS, port=port)


@pytest.fixture(autouse=True)
def _no_queues(net: DpdkNetwork) -> None:
    net.switch.vsctl("clear", "Port", net.spec.port_of("c1")[1], "qos")
    net.switch.vsctl("--all", "destroy", "QoS", "--", "--all", "destroy", "Queue")


def test_ping_by_both_versions_of_ip(net: DpdkNetwork) -> None:
    for address in ("10.0.0.11", "fd70:77::b"):
        done = net.run("client", ["ping", "-c", "5", "-i", "0.05", "-W", "2", address])
        assert "5 received" in done.stdout, done


def test_ports_are_dpdk_ports_of_the_userspace_datapath(net: DpdkNetwork) -> None:
    assert "netdev@ovs-netdev" in net.switch.appctl("dpctl/dump-dps")
    said = net.switch.vsctl("get", "Interface", net.spec.port_of("c1")[1], "status")
    assert "driver_name=net_af_packet" in said


def test_tcp_passes_without_queues(net: DpdkNetwork) -> None:
    with iperf.serving(net, "c1"):
        address = net.spec.host("c1").address
        flow = iperf.start_tcp(net, "client", address, 1.0).flow()
    assert flow.rate(flow.began, flow.ended + 1) > 100 * M


def test_a_policed_port_lets_its_rate_through(net: DpdkNetwork) -> None:
    set_queues(net, plan(20 * M, 18 * M, 1 * M))
    with iperf.serving(net, "c1"):
        flow = udp(net, "client", 40, iperf.PORT).flow()
    # what no class is sure of, 1 Mb/s, and what this one is
    assert flow.steady(SETTLED) == pytest.approx(19 * M, rel=0.05)


def test_what_a_class_is_sure_of_passes_beside_twice_the_rate(net: DpdkNetwork) -> None:
    set_queues(net, plan(50 * M, 5 * M, 20 * M))
    with iperf.serving(net, "c1", 5201, 5202):
        bulk = udp(net, "client", 100, 5201)
        sure = udp(net, "gateway", 20, 5202)
        assert sure.flow().steady(SETTLED) >= 0.97 * 20 * M
        # and not what the other leaves of its own: policing cannot lend it
        assert bulk.flow().steady(SETTLED) == pytest.approx(30 * M, rel=0.06)


def test_tcp_has_most_of_a_policed_rate(net: DpdkNetwork) -> None:
    set_queues(net, plan(20 * M, 19 * M, 1 * M))
    with iperf.serving(net, "c1"):
        load = iperf.start_tcp(net, "client", net.spec.host("c1").address, 4.0)
        assert load.flow().steady(SETTLED) >= 0.80 * 19 * M


def test_nothing_is_left_behind() -> None:
    pages, runtime = pages_of_others(), Path("/run/dpdk").exists()
    with dpdk_network(single_switch(0)) as network:
        directory, pid = network.switch.directory, network.switch.pid
    await_pages_of_others(pages)
    assert not directory.exists()
    assert not Path(f"/proc/{pid}").exists()
    assert Path("/run/dpdk").exists() == runtime


def pages_of_others() -> int:
    """Huge pages that the kernel has, but for those that networks under way reserved."""
    return int(Path("/proc/sys/vm/nr_hugepages").read_text()) - hugepages.held()


def await_pages_of_others(pages: int) -> None:
    """Return when there are so many; others may be starting just now."""
    until(pages_of_others, lambda seen: seen == pages, f"{pages} huge pages are not ours", 60)


def test_more_memory_than_there_is_is_not_even_tried() -> None:
    pages = pages_of_others()
    with (
        pytest.raises(NoHugepages, match=r"are more than the [0-9]+ MiB"),
        hugepages.reserved(1 << 30),
    ):
        pytest.fail("reserved")
    await_pages_of_others(pages)


def test_what_a_killed_run_reserved_is_given_back_by_the_next() -> None:
    pages = pages_of_others()
    code = (
        "import os, signal\n"
        "from topologies.hugepages import reserved\n"
        "with reserved(300):\n"
        "    os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    killed = subprocess.run([sys.executable, "-c", code], check=False)
    assert killed.returncode == -signal.SIGKILL
    held = hugepages.held()
    with hugepages.reserved(0):
        assert hugepages.held() < held
        await_pages_of_others(pages)
