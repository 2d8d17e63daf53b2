"""Five minutes of the most telling faults; `make chaos` takes twenty, of all kinds."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Final

import pytest

from tests.chaos import clocks
from tests.chaos.run import chaos, faults
from tests.chaos.table import Verdict
from tests.needs import need

MINUTES: Final = 3.5  # of faults; the network before and the comparison after take the rest
LEAVES: Final = 2
SEED: Final = int(os.environ.get("PREWIRE_CHAOS_SEED", "1"))
TELLING: Final = (
    "kill leading controller",
    "stop leading controller",
    "clock forward, leading controller",
    "kill REST server",
    "kill predictor",
    "kill node agent",
    "kill database leader",
    "stop database leader",
    "clock back, database leader",
    "disk full, database leader",
    "kill ovs-vswitchd of the switches",
    "kill ovsdb-server of the switches",
    "kill a container",
    "link cut",
    "spine lost",
    "leaf restarted, empty",
    "slow switch",
    "packet loss on the control channel",
    "garbage on OpenFlow ports",
    "garbage on REST ports",
    "garbage on gRPC port",
    "garbage on OVSDB sockets",
)

pytestmark = [pytest.mark.root, pytest.mark.alone, pytest.mark.measures]


@pytest.mark.timeout(900)
def test_what_fails_is_survived(capsys: pytest.CaptureFixture[str]) -> None:
    """Nothing acknowledged is lost, nothing diverges, and it recovers in time."""
    need(clocks.has_compiler(), clocks.NONE)
    assert set(TELLING) <= set(faults())
    found = Verdict(SEED)
    with capsys.disabled():
        chaos(found, MINUTES, TELLING, LEAVES)
        print(f"\n{found.as_text()}")  # noqa: T201 - what it is run for
    written = Path("build/chaos.json")
    written.parent.mkdir(exist_ok=True)
    written.write_text(json.dumps(found.as_json()), "utf-8")
    assert len({fault.fault for fault in found.faults}) > len(TELLING) / 2, "too slow to tell"
    assert not found.violations, "\n".join(found.violations)
