"""What a bridge holds as a file for `ovs-ofctl bundle`, and a bridge without anything.

The bundle is the least that programming a switch can cost: text is read, one message a rule sent,
and the switch answers when it holds all of them. Programs by ovs-ofctl alone.
"""

from __future__ import annotations

import os
import subprocess
import time
from pathlib import Path
from typing import Final

from benchmarks.errors import BenchmarkFailed
from topologies.processes import run

_OFCTL: Final = ("ovs-ofctl", "-O", "OpenFlow13")
_LONGEST: Final = 120  # seconds
_QUIETLY: Final = (f"--timeout={_LONGEST}", "-vconsole:err")  # it warns of how long it takes


class Bundle:
    """The flows and groups of a bridge when this object was made, in a file; its meters aside.

    peak_mib: the most that ovs-ofctl had resident the last time.
    """

    def __init__(self, bridge: str, file: Path) -> None:
        self._bridge = bridge
        self._file = file
        self.peak_mib = 0.0
        self._meters = _meters(bridge)
        groups, flows = _lines(bridge, "groups", "group_id="), _lines(bridge, "flows", "actions=")
        self.flows, self.groups = len(flows), len(groups)
        lines = [f"group add {each}" for each in groups] + [f"flow add {each}" for each in flows]
        file.write_text("\n".join(lines) + "\n")

    def replayed(self) -> float:
        """Seconds until an empty bridge has confirmed all; meters are not counted."""
        for meter in self._meters:
            run([*_OFCTL, "add-meter", self._bridge, meter])
        began = time.monotonic()
        process = subprocess.Popen([*_OFCTL, *_QUIETLY, "bundle", self._bridge, str(self._file)])
        _, status, used = os.wait4(process.pid, 0)
        took = time.monotonic() - began
        process.returncode = os.waitstatus_to_exitcode(status)
        if process.returncode:
            raise BenchmarkFailed(f"ovs-ofctl bundle: exit code {process.returncode}")
        self.peak_mib = used.ru_maxrss / 1024
        return took


def emptied(bridge: str) -> None:
    """Take all flows, groups and meters out of a bridge."""
    for command in ("del-flows", "del-groups", "del-meters"):
        run([*_OFCTL, command, bridge], timeout_s=_LONGEST)


def held(bridge: str) -> tuple[int, int]:
    """How many flows and groups a bridge has."""
    told = run([*_OFCTL, "dump-aggregate", bridge], timeout_s=_LONGEST)
    return int(told.rpartition("flow_count=")[2]), len(_lines(bridge, "groups", "group_id="))


def _lines(bridge: str, what: str, word: str) -> list[str]:
    shown = ["--no-stats"] if what == "flows" else []
    text = run([*_OFCTL, *shown, "--no-names", f"dump-{what}", bridge], timeout_s=_LONGEST)
    return sorted(line.strip() for line in text.splitlines() if word in line)


def _meters(bridge: str) -> list[str]:
    """Each in one line; the switch prints a line for it and one for each of its bands."""
    _, *meters = " ".join(run([*_OFCTL, "dump-meters", bridge]).split()).split("meter=")
    return [f"meter={meter.strip()}" for meter in meters]
