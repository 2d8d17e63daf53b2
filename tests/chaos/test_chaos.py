"""Five minutes of faults; `make chaos` takes twenty."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Final

import pytest

from tests.chaos import clocks
from tests.chaos.run import chaos
from tests.chaos.table import Verdict
from tests.needs import need

MINUTES: Final = 5.0
SEED: Final = int(os.environ.get("PREWIRE_CHAOS_SEED", "1"))

pytestmark = [pytest.mark.root, pytest.mark.alone, pytest.mark.measures]


@pytest.mark.timeout(1500)
def test_what_fails_is_survived(capsys: pytest.CaptureFixture[str]) -> None:
    """Nothing acknowledged is lost, nothing diverges, and it recovers in time."""
    need(clocks.has_compiler(), clocks.NONE)
    found = Verdict(SEED)
    with capsys.disabled():
        chaos(found, MINUTES)
        print(f"\n{found.as_text()}")  # noqa: T201 - what it is run for
    written = Path("build/chaos.json")
    written.parent.mkdir(exist_ok=True)
    written.write_text(json.dumps(found.as_json()), "utf-8")
    assert found.faults
    assert not found.violations, "\n".join(found.violations)
