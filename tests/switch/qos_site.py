"""A switch with two stations and the node agent, for tests of queues; packets go as in a hub."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

from nib.draft import Draft
from nib.qos import LinkRate, Policy, PortQos
from tests.switch.node_site import BRIDGE, DPID, Host, Site, site
from tests.waiting import until

PORT: Final = "p-two"  # the port whose queues are looked at
RATE: Final = 20_000_000
POLICY: Final = Policy("any", destination="web", qos_class="realtime")
FLOW: Final = Path(__file__).with_name("udp_flow.py")

_DOZEN: Final = ("96000", "100", "0.095")  # bits a second, bytes, seconds

# (host, destination port, DSCP, bits a second, bytes of a frame)
Flow = tuple[Host, int, int, int, int]


class QosSite:
    """Stations one (10.0.0.1, fd00::1) and two (10.0.0.2, fd00::2)."""

    def __init__(self, here: Site) -> None:
        self.here = here
        self.ovs = here.ovs
        self.one, self.two = (
            here.host(name, f"10.0.0.{number}") for number, name in enumerate(("one", "two"), 1)
        )
        for number, host in enumerate((self.one, self.two), 1):
            host.run("ip", "address", "add", f"fd00::{number}/64", "dev", "eth0", "nodad")
        here.ovs.ofctl("add-flow", BRIDGE, "actions=normal")

    def write(self, *rows: Any) -> None:
        """Put rows."""

        def change(draft: Draft) -> None:
            for row in rows:
                draft.put(row)

        self.here.write(change)

    def delete(self, row: Any) -> None:
        """Delete a row."""
        self.here.write(lambda draft: draft.delete(type(row), row.key))

    def shape(self, bps: int = RATE) -> None:
        """A policy, and a rate for PORT."""
        self.write(POLICY, LinkRate(DPID, PORT, bps))

    def row(self, port: str = PORT) -> PortQos | None:
        """What the agent says of a port."""
        with self.here.nib.view() as view:
            return view.get(PortQos, (DPID, port))

    def await_row(self, holds: Callable[[PortQos | None], object], port: str = PORT) -> Any:
        return until(lambda: self.row(port), holds, f"PortQos of {port}")

    def await_shaped(self) -> None:
        self.await_row(lambda row: row is not None and row.bps and not row.problem)

    def tc(self, *command: str) -> list[dict[str, Any]]:
        """What `tc -s -j COMMAND dev PORT` shows."""
        shown = self.ovs.run("tc", "-s", "-j", *command, "dev", PORT)
        found: list[dict[str, Any]] = json.loads(shown or "[]")
        return found

    def root(self) -> str:
        """The kind of the root qdisc."""
        return next(str(each["kind"]) for each in self.tc("qdisc", "show") if each.get("root"))

    def filters(self) -> set[tuple[str, str, str]]:
        """(protocol, selector, class) of every filter."""
        text = self.ovs.run("tc", "filter", "show", "dev", PORT).split("filter parent 1: ")
        return {
            (words[1], words[words.index("match") + 1], words[words.index("*flowid") + 1])
            for words in map(str.split, text)
            if "match" in words
        }

    def leaves(self) -> dict[int, int]:
        """How many packets may wait, by queue."""
        return {
            int(each["parent"].removeprefix("1:"), 16) - 1: each["options"]["limit"]
            for each in self.tc("qdisc", "show")
            if not each.get("root")
        }

    def packets(self) -> dict[int, int]:
        """Packets that left, by queue."""
        shown = self.ovs.run("tc", "-s", "class", "show", "dev", PORT)
        found = {}
        for block in shown.split("class htb 1:")[1:]:
            minor = int(block.split()[0], 16)
            if minor != 0xFFFE:
                found[minor - 1] = int(block.split("bytes ")[1].split()[0])
        return found

    def queues(self) -> Mapping[int, Mapping[str, str]]:
        """The Queue rows of PORT, by number."""
        qos = self.ovs.vsctl("get", "Port", PORT, "qos").strip()
        if qos == "[]":
            return {}
        numbered = self.ovs.vsctl("get", "QoS", qos, "queues").strip("{}\n")
        pairs = (each.split("=") for each in numbered.split(", "))
        return {
            int(number): dict(
                pair.replace('"', "").split("=")
                for pair in self.ovs.vsctl("get", "Queue", uuid, "other_config")
                .strip("{}\n")
                .split(", ")
            )
            for number, uuid in pairs
        }

    def rows(self) -> tuple[str, ...]:
        """The uuids of all QoS and Queue rows."""
        found = [
            self.ovs.vsctl("--bare", "--columns=_uuid", "list", table).split()
            for table in ("QoS", "Queue")
        ]
        return tuple(sorted(uuid for uuids in found for uuid in uuids))

    @contextmanager
    def agent(self) -> Iterator[subprocess.Popen[str]]:
        """`prewire node` on the switch's host."""
        with (self.ovs.directory / "node.log").open("a") as log:
            process = subprocess.Popen(
                self.here.agent_command(),
                env=self.here.agent_environment(),
                stdin=subprocess.DEVNULL,
                stderr=log,
                text=True,
            )
        try:
            yield process
        finally:
            process.terminate()
            process.wait(60)

    def run(self, flows: Sequence[Flow], seconds: float) -> list[dict[str, float]]:
        """UDP to station two at once; what arrived of each, and the frames `sent`."""
        receivers = [
            self.two.popen(sys.executable, str(FLOW), "receive", str(port)) for _, port, *_ in flows
        ]
        for each in receivers:
            assert each.stdout is not None
            assert each.stdout.readline() == "ready\n"
        senders = [
            host.popen(
                *(sys.executable, str(FLOW), "send", "10.0.0.2"),
                *map(str, (port, dscp, bps, size, seconds)),
            )
            for host, port, dscp, bps, size in flows
        ]
        sent = [json.loads(each.communicate(timeout=60)[0])["frames"] for each in senders]
        arrived = [json.loads(each.communicate(timeout=60)[0]) for each in receivers]
        return [{**each, "sent": count} for each, count in zip(arrived, sent, strict=True)]

    def send(self, address: str, dscp: int) -> None:
        """A dozen small datagrams with a mark, from station one."""
        self.one.run(sys.executable, str(FLOW), "send", address, "9", str(dscp), *_DOZEN)


@contextmanager
def qos_site() -> Iterator[QosSite]:
    with site() as here:
        yield QosSite(here)
