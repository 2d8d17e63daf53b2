"""Queues by the node agent on a real switch with the userspace datapath."""

from __future__ import annotations

import signal
from collections.abc import Callable, Iterator, Sequence
from typing import TypeAlias

import pytest

from nib.intent import Container, Service
from nib.plans import PolicyRate
from nib.qos import LinkRate, PortQos, QosClass
from nib.topology import Port
from tests.switch.node_site import BRIDGE, DPID
from tests.switch.qos_site import POLICY, PORT, RATE, Flow, QosSite, qos_site
from tests.waiting import until

pytestmark = pytest.mark.root

DSCP = {0: 0, 1: 1, 2: 18, 3: 46}  # of the built-in classes, by queue
Seen: TypeAlias = list[dict[str, float]]  # by flow


@pytest.fixture
def here() -> Iterator[QosSite]:
    with qos_site() as made:
        yield made


def both(queue: int, dscp: int) -> set[tuple[str, str, str]]:
    """The filters of one mark, of both protocols."""
    target = f"1:{queue + 1:x}"
    return {
        ("ip", f"{dscp << 26:08x}/fc000000", target),
        ("ipv6", f"{dscp << 22:08x}/0fc00000", target),
    }


def built_in() -> set[tuple[str, str, str]]:
    return {each for queue in (1, 2, 3) for each in both(queue, DSCP[queue])}


def test_marked_packets_go_by_the_queue_of_their_class(here: QosSite) -> None:
    here.shape()
    with here.agent():
        here.await_shaped()
        assert here.row() == PortQos(DPID, PORT, "dscp + linux-htb", RATE)
        assert here.row("p-one") is None, "nobody stated its rate"
        assert {number: queue["min-rate"] for number, queue in here.queues().items()} == {
            0: "4000000",
            1: "1000000",
            2: "4000000",
            3: "2000000",
        }
        assert here.filters() == built_in()
        for address in ("10.0.0.2", "fd00::2"):
            here.send(address, 0)  # neighbours are found
            for queue, dscp in {**DSCP, 0: 34}.items():  # 34: no class has it
                before = here.packets()
                here.send(address, dscp)
                after = until(
                    here.packets,
                    lambda seen, queue=queue, before=before: seen[queue] >= before[queue] + 10,  # type: ignore[misc]
                    f"packets with DSCP {dscp} to {address} leave by queue {queue}",
                )
                for other in DSCP.keys() - {queue, 0}:
                    assert after[other] == before[other]


@pytest.mark.measures
def test_a_queue_s_rate_and_another_class_s_guarantee_hold(here: QosSite) -> None:
    """A class that overloads a port costs another one nothing."""
    here.shape()
    with here.agent():
        here.await_shaped()
        here.send("10.0.0.2", 0)
        roomy = {0: 82, 1: 82, 2: 82, 3: 41}  # 50 ms of each, once the send buffer has room
        until(here.leaves, lambda seen: seen == roomy, "leaf queues")
        (bulk,) = tried(here, [(here.one, 5001, 1, 2 * RATE, 1400)], is_full)
        assert bulk["bps"] <= 1.05 * RATE
        flows = [(here.one, 5001, 1, 2 * RATE, 1400), (here.one, 5002, 46, RATE // 4, 500)]
        bulk, realtime = tried(
            here,
            flows,
            lambda seen: is_full(seen) and seen[1]["frames"] >= 0.9 * seen[1]["sent"],
        )  # half of it were lost in a full buffer
        assert bulk["bps"] + realtime["bps"] <= 1.05 * RATE
        assert realtime["p50_ms"] < bulk["p50_ms"] / 5


def is_full(seen: Seen) -> bool:
    """Whether the port sent what it may."""
    return sum(each["bps"] for each in seen) >= 0.95 * RATE


def tried(here: QosSite, flows: Sequence[Flow], holds: Callable[[Seen], bool]) -> Seen:
    """Sent until it holds: where the machine gives its processors to others, less arrives."""
    return until(lambda: here.run(flows, 2), holds, "what the queues are for", 90)


@pytest.mark.measures
def test_each_class_has_its_minimum_where_all_send_too_much(here: QosSite) -> None:
    here.shape()
    with here.agent():
        here.await_shaped()
        here.send("10.0.0.2", 0)
        every = [(here.one, 5000 + queue, dscp, RATE, 1400) for queue, dscp in DSCP.items()]
        sure = {number: int(queue["min-rate"]) for number, queue in here.queues().items()}

        def has_its_minimum(seen: Seen) -> bool:
            return all(each["bps"] >= 0.97 * sure[queue] for queue, each in enumerate(seen))

        arrived = [each["bps"] for each in tried(here, every, has_its_minimum)]
        assert max(arrived) == arrived[3], "what is left goes by priority"
        assert arrived[3] <= 1.05 * RATE / 2, "up to the class's maximum"


def test_changes_of_rates_and_classes(here: QosSite) -> None:
    here.shape()
    with here.agent():
        here.await_shaped()
        before = here.rows()
        here.write(LinkRate(DPID, PORT, 2 * RATE))
        here.await_row(lambda row: row is not None and row.bps == 2 * RATE)
        assert here.queues()[0]["min-rate"] == "8000000"
        assert here.rows() == before, "updated in place"
        assert here.filters() == built_in()
        gold = QosClass("gold", 12, 9, min_percent=10)
        here.write(gold)
        until(here.filters, lambda seen: seen == built_in() | both(9, 12), "gold is steered")
        assert here.packets().keys() == {0, 1, 2, 3, 9}
        here.write(QosClass("gold", 14, 9, min_percent=10))
        until(here.filters, lambda seen: seen == built_in() | both(9, 14), "by its new mark")
        here.delete(gold)
        until(here.packets, lambda seen: seen.keys() == DSCP.keys(), "gold is gone")
        assert here.filters() == built_in()
        assert here.rows() == before


def test_a_guarantee_in_force_raises_its_queue_while_it_is(here: QosSite) -> None:
    """As the controller decides on it from a plan; of no policy's own."""
    here.write(Service("web", "10.0.0.100", 80))
    here.write(Container("web", "two", here.two.address, 8080, here.two.mac, iface_id="two"))
    here.shape()
    with here.agent():
        here.await_shaped()
        before = here.rows()
        planned = PolicyRate(POLICY.name, "plan", 1, guaranteed_bps=6_000_000)
        for change, rate in ((here.write, "6000000"), (here.delete, "2000000")):
            change(planned)
            until(
                lambda: here.queues()[3]["min-rate"],
                lambda seen, rate=rate: seen == rate,  # type: ignore[misc]
                f"the class's queue is sure of {rate}",
            )
        assert here.rows() == before, "updated in place"


def test_what_is_deleted_by_hand_is_made_anew(here: QosSite) -> None:
    here.shape()
    with here.agent():
        here.await_shaped()
        wanted = built_in()
        here.ovs.run(
            "tc", "filter", "del", "dev", PORT, "parent", "1:", "protocol", "ip", "prio", "1956"
        )
        until(here.filters, lambda seen: seen == wanted, "the filters are back")
        here.ovs.run("tc", "qdisc", "del", "dev", PORT, "root")
        until(here.filters, lambda seen: seen == wanted, "all of it is back")
        assert here.packets().keys() == DSCP.keys()
        here.await_shaped()


def test_a_foreign_qdisc_is_left_alone(here: QosSite) -> None:
    root = ("tc", "qdisc", "add", "dev", PORT, "root", "handle", "5:", "tbf")
    tbf = (*root, "rate", "100mbit", "burst", "100kb", "latency", "10ms")
    here.ovs.run(*tbf)
    here.shape()
    with here.agent():
        row = here.await_row(bool)
        assert (row.method, row.bps) == ("none", RATE)
        assert f"tc qdisc del dev {PORT} root" in row.problem
        assert here.root() == "tbf"
        assert here.rows() == ()
        here.ovs.run("tc", "qdisc", "del", "dev", PORT, "root")
        here.await_shaped()
        here.ovs.run("tc", "qdisc", "del", "dev", PORT, "root")
        here.ovs.run(*tbf)
        here.await_row(lambda row: row and row.problem)
        here.delete(POLICY)
        row = here.await_row(lambda row: row and row.bps == 0)
        assert f"tc qdisc del dev {PORT} root" in row.problem
        assert here.root() == "tbf"
        here.ovs.run("tc", "qdisc", "del", "dev", PORT, "root")
        here.await_row(lambda row: row is None)
        assert here.rows() == ()


def test_foreign_qos_is_left_alone(here: QosSite) -> None:
    here.ovs.vsctl(
        *("set", "Port", PORT, "qos=@q", "--", "--id=@q", "create", "QoS", "type=linux-htb"),
        *("other_config:max-rate=5000000", "queues:0=@z", "--"),
        *("--id=@z", "create", "Queue", "other_config:min-rate=1000000"),
    )
    before = here.rows()
    here.shape()
    with here.agent():
        row = here.await_row(bool)
        assert row.method == "none"
        assert f"ovs-vsctl clear Port {PORT} qos" in row.problem
        here.delete(POLICY)
        here.await_row(lambda row: row is None)
    assert here.rows() == before
    assert here.queues() == {0: {"min-rate": "1000000"}}


def test_an_agent_that_was_killed_is_followed_by_one_that_takes_up_its_queues(
    here: QosSite,
) -> None:
    here.shape()
    with here.agent() as agent:
        here.await_shaped()
        agent.send_signal(signal.SIGKILL)
        agent.wait(60)
    before = here.rows()
    assert len(before) == 5
    here.write(LinkRate(DPID, PORT, 2 * RATE))
    with here.agent() as agent:
        here.await_row(lambda row: row is not None and row.bps == 2 * RATE)
        assert here.rows() == before
        assert here.filters() == built_in()
        agent.send_signal(signal.SIGKILL)
        agent.wait(60)
    here.delete(POLICY)
    with here.agent():
        here.await_row(lambda row: row is None)
        assert here.rows() == ()
        assert here.root() == "noqueue"


def test_without_policies_nothing_is_left(here: QosSite) -> None:
    here.write(LinkRate(DPID, PORT, RATE))
    with here.agent():
        here.write(POLICY)
        here.await_shaped()
        here.delete(POLICY)
        here.await_row(lambda row: row is None)
        assert here.rows() == ()
        assert here.root() == "noqueue"


def test_ports_that_have_no_queues_say_so(here: QosSite) -> None:
    here.ovs.vsctl("add-port", BRIDGE, "inner", "--", "set", "Interface", "inner", "type=internal")
    here.write(
        POLICY,
        Port(DPID, "inner", 50, "02:00:00:00:01:01", up=True),
        LinkRate(DPID, "inner", RATE),
    )
    with here.agent():
        row = here.await_row(bool, "inner")
        assert row.method == "none"
        assert "veth" in row.problem
    assert here.rows() == ()
