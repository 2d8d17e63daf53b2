"""Who programs the bridge: prewire, a copy of what prewire programmed, flows by hand, or nobody.

Owns taking prewire away and giving the bridge back to it. Programs by ovs-ofctl alone.
"""

from __future__ import annotations

import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Protocol

from benchmarks.errors import BenchmarkFailed
from benchmarks.sites.controlled import VIP
from benchmarks.sites.site import until
from topologies import openvswitch
from topologies.hosts import Hosts
from topologies.processes import run

_CONTROL_SECONDS: Final = 20.0


class Tools(Protocol):
    """The programs of one Open vSwitch. They raise NetworkError with what was wrong."""

    def vsctl(self, *args: str) -> str:
        """Run ovs-vsctl."""

    def ofctl(self, *args: str) -> str:
        """Run ovs-ofctl by OpenFlow 1.3."""

    def appctl(self, *args: str) -> str:
        """Run ovs-appctl on ovs-vswitchd."""


class MachineTools:
    """Those of the machine's own Open vSwitch."""

    def vsctl(self, *args: str) -> str:
        """Run ovs-vsctl."""
        return openvswitch.vsctl(*args)

    def ofctl(self, *args: str) -> str:
        """Run ovs-ofctl by OpenFlow 1.3."""
        return run(["ovs-ofctl", "-O", "OpenFlow13", *args])

    def appctl(self, *args: str) -> str:
        """Run ovs-appctl on ovs-vswitchd."""
        return run(["ovs-appctl", "--timeout=15", "-t", "ovs-vswitchd", *args])


class Controlled(Protocol):
    """What is asked of a network with prewire."""

    @property
    def net(self) -> Hosts:
        """Its hosts."""

    @property
    def bridge(self) -> str:
        """Its one switch."""

    def pause(self) -> None:
        """Give prewire no processor time."""

    def resume(self) -> None:
        """Undo that."""

    def check_answer(self, url: str) -> None:
        """BenchmarkFailed unless a web server answers the client."""


@dataclass(frozen=True, slots=True)
class Program:
    """What a bridge holds, in ovs-ofctl's text."""

    flows: Sequence[str]
    groups: Sequence[str] = ()
    meters: Sequence[str] = ()


PLAIN: Final = Program(("actions=NORMAL",))
"""A learning switch."""


class Switch:
    """The site's bridge, first under prewire's control, with a service on the VIP.

    programs: those that `become` is to know by name beside `prewire`, `copy` and `plain`.
    """

    def __init__(
        self,
        site: Controlled,
        tools: Tools | None = None,
        programs: Mapping[str, Program] | None = None,
    ) -> None:
        self._site = site
        self._bridge = site.bridge
        self._tools = tools or MachineTools()
        self._controllers = self._tools.vsctl("get-controller", self._bridge).split()
        self._await_known()
        self._wanted = Program(self._flows(), self._groups(), self._meters())
        self._programs = {"copy": self._wanted, "plain": PLAIN, **(programs or {})}
        self._state = "prewire"

    def become(self, state: str) -> None:
        """Return when the bridge holds that state's flows; conntrack then holds nothing.

        `copy` is what prewire had programmed when this object was made, written anew by ovs-ofctl.
        Without prewire there is no controller, and prewire's processes are paused.
        """
        if state == self._state:
            return
        self._tools.vsctl("del-controller", self._bridge)
        for command in ("del-flows", "del-groups", "del-meters"):
            self._tools.ofctl(command, self._bridge)
        if state == "prewire":
            self._site.resume()
            self._connect()
            self._await_restored()
        else:
            self._site.pause()
            self._write(self._programs[state])
        self._tools.appctl("dpctl/flush-conntrack")
        self._state = state

    def _connect(self) -> None:
        names = [f"@c{number}" for number in range(len(self._controllers))]
        command = ["set", "Bridge", self._bridge, f"controller=[{','.join(names)}]"]
        for name, target in zip(names, self._controllers, strict=True):
            command += ["--", f"--id={name}", "create", "Controller", f'target="{target}"']
            command += ["max_backoff=1000"]
        self._tools.vsctl(*command)

    def _write(self, program: Program) -> None:
        for meter in program.meters:
            self._tools.ofctl("add-meter", self._bridge, meter)
        for group in program.groups:
            self._tools.ofctl("add-group", self._bridge, group)
        with tempfile.TemporaryDirectory(prefix="prewire-flows-") as directory:
            file = Path(directory) / "flows"
            file.write_text("".join(f"{flow}\n" for flow in program.flows))
            self._tools.ofctl("add-flows", self._bridge, str(file))

    def _await_known(self) -> None:
        """The client has shown itself, and prewire has programmed how it is reached: a switch with
        nobody to ask could not learn that later."""
        self._site.check_answer(f"http://{VIP}/")
        wanted = f"arp_tpa={self._site.net.spec.client.address},"
        what = "prewire has programmed the client's address"
        until(lambda: any(wanted in flow for flow in self._flows()), what, _CONTROL_SECONDS)

    def _await_restored(self) -> None:
        what = "prewire has programmed the switch again"
        try:
            until(lambda: not self._missing(), what, _CONTROL_SECONDS)
        except BenchmarkFailed as failure:
            raise BenchmarkFailed(f"{failure}; {self._missing()[:3]}") from None

    def _missing(self) -> list[str]:
        """Flows and groups that are not as they were. One may be new: of a host that was quiet."""
        wanted = {*self._wanted.flows, *self._wanted.groups}
        return sorted(wanted - {*self._flows(), *self._groups()})

    def _flows(self) -> list[str]:
        text = self._tools.ofctl("--no-stats", "--no-names", "dump-flows", self._bridge)
        return sorted(line.strip() for line in text.splitlines() if "actions=" in line)

    def _groups(self) -> list[str]:
        text = self._tools.ofctl("--no-names", "dump-groups", self._bridge)
        return sorted(line.strip() for line in text.splitlines() if "group_id=" in line)

    def _meters(self) -> list[str]:
        """Each in one line; the switch prints one for it and one for each of its bands."""
        text = self._tools.ofctl("dump-meters", self._bridge)
        _, *meters = " ".join(text.split()).split("meter=")
        return [f"meter={meter.strip()}" for meter in meters]
