"""In which order tests run, and which of them on one worker, where several workers run them.

What shares a world that takes long to set up is one unit and runs on one worker: a module, or a
whole folder with its network. Units that take longest begin first, so that none is left over at
the end.
"""

from __future__ import annotations

import re
from typing import Final

from xdist.scheduler import LoadScopeScheduling
from xdist.workermanage import WorkerController

# Folders with one network for all their modules.
_ONE_NETWORK: Final = ("tests/acceptance", "tests/fabric")
# Modules of which every test has a world of its own.
_APART: Final = ("tests/guides/test_typed.py",)
# What takes longest, in this order; what else there is comes after, the most tests first.
LONGEST: Final = (
    "tests/prewarm/test_closed_loop.py",
    "tests/acceptance os-ken",
    "tests/guides/test_examples.py",
    "tests/predictor/test_process.py",
    "tests/fabric",
    "tests/switch/test_leadership.py",
    "tests/guides/test_three_nodes.py",
    "tests/soak/test_soak.py",
    "tests/guides/test_typed.py",
    "tests/acceptance ryu",
    "tests/switch/test_doctor.py",
    "tests/switch/test_discovery.py",
    "tests/switch/test_controller_up.py",
    "tests/switch/test_tls.py",
    "tests/switch/test_controller_start.py",
    "tests/switch/test_node_connections.py",
    "tests/switch/test_node_checks.py",
    "tests/page",
    "tests/nib/test_cluster.py",
    "tests/switch/test_controller_load.py",
    "tests/switch/test_meter_changes.py",
    "tests/switch/test_leadership_reset.py",
    "tests/predictor/test_replay_commands.py",
    "tests/switch/test_docs_site.py",
)


def unit_of(nodeid: str) -> str:
    """What a test runs together with."""
    module, _, name = nodeid.partition("::")
    folder = module.rpartition("/")[0]
    if module in _APART:
        return nodeid
    if folder not in _ONE_NETWORK:
        return module
    framework = re.search(r"\b(os-ken|ryu)\b", name.partition("[")[2])
    return f"{folder} {framework[1]}" if framework else folder


def turn_of(unit: str) -> int:
    """The lower, the earlier."""
    found = (place for place, each in enumerate(LONGEST) if unit.startswith(each))
    return next(found, len(LONGEST))


class Units(LoadScopeScheduling):  # type: ignore[misc]
    """Whole units, those that take longest first, then those of most tests."""

    def _split_scope(self, nodeid: str) -> str:
        return unit_of(nodeid)

    def _assign_work_unit(self, node: WorkerController) -> None:
        self.workqueue.move_to_end(min(self.workqueue, key=turn_of), last=False)
        super()._assign_work_unit(node)
