"""Who programs the bridge: prewire, a copy of what prewire programmed, or nobody (NORMAL).

Owns taking prewire away and giving the bridge back to it. Programs by ovs-ofctl alone.
"""

from __future__ import annotations

from typing import Final, Literal

from benchmarks.errors import BenchmarkFailed
from benchmarks.site import Site, until
from topologies.openvswitch import set_controllers, vsctl
from topologies.processes import run

State = Literal["prewire", "copy", "plain"]
_CONTROL_SECONDS: Final = 20.0
_OFCTL: Final = ("ovs-ofctl", "-O", "OpenFlow13")


class Switch:
    """The site's bridge, first under prewire's control and fully programmed."""

    def __init__(self, site: Site) -> None:
        self._site = site
        self._bridge = site.bridge
        self._flows = _flows(self._bridge)
        self._groups = _groups(self._bridge)
        self._meters = _meters(self._bridge)
        self._state: State = "prewire"

    def become(self, state: State) -> None:
        """Return when the bridge holds that state's flows.

        `copy` holds what prewire had programmed when this object was made, written anew by
        ovs-ofctl, without a controller. `plain` is a learning switch without a controller. In both
        prewire's processes are paused.
        """
        if state == self._state:
            return
        vsctl("del-controller", self._bridge)
        run([*_OFCTL, "del-flows", self._bridge])
        run([*_OFCTL, "del-groups", self._bridge])
        run([*_OFCTL, "del-meters", self._bridge])
        if state == "copy":
            self._site.pause()
            self._write()
        elif state == "plain":
            self._site.pause()
            run([*_OFCTL, "add-flow", self._bridge, "actions=NORMAL"])
        else:
            self._site.resume()
            set_controllers(self._bridge, [self._site.target])
            self._await_restored()
        self._state = state

    def _write(self) -> None:
        for meter in self._meters:
            run([*_OFCTL, "add-meter", self._bridge, meter])
        for group in self._groups:
            run([*_OFCTL, "add-group", self._bridge, group])
        for flow in self._flows:
            run([*_OFCTL, "add-flow", self._bridge, flow])

    def _await_restored(self) -> None:
        what = "prewire has programmed the switch again"
        try:
            until(lambda: not self._differences(), what, _CONTROL_SECONDS)
        except BenchmarkFailed as failure:
            raise BenchmarkFailed(f"{failure}; {self._differences()[:3]}") from None

    def _differences(self) -> list[str]:
        """Flows and groups that are not as they were: those that lack, and those in excess."""
        wanted = {*self._flows, *self._groups}
        return sorted(wanted ^ {*_flows(self._bridge), *_groups(self._bridge)})


def _flows(bridge: str) -> list[str]:
    text = run([*_OFCTL, "--no-stats", "--no-names", "dump-flows", bridge])
    return sorted(line.strip() for line in text.splitlines() if "actions=" in line)


def _groups(bridge: str) -> list[str]:
    text = run([*_OFCTL, "--no-names", "dump-groups", bridge])
    return sorted(line.strip() for line in text.splitlines() if "group_id=" in line)


def _meters(bridge: str) -> list[str]:
    """Each in one line; the switch prints a line for it and one for each of its bands."""
    text = run([*_OFCTL, "dump-meters", bridge])
    _, *meters = " ".join(text.split()).split("meter=")
    return [f"meter={meter.strip()}" for meter in meters]
