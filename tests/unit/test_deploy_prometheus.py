"""The alert rules that are delivered: promtool runs them, and what they name is there."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path
from typing import Final

import pytest

from prewire.docs import interfaces as docs_interfaces
from tests.needs import need

FOLDER: Final = Path(__file__).parents[2] / "deploy" / "prometheus"
RULES: Final = FOLDER / "prewire.rules.yml"
TESTS: Final = FOLDER / "prewire.rules.test.yml"
PAGE: Final = Path(__file__).parents[2] / "docs" / "observability.md"

ALERTS: Final = set(re.findall(r"alert: (\w+)", RULES.read_text()))


@pytest.mark.parametrize(("what", "file"), [("check", RULES), ("test", TESTS)])
def test_promtool(what: str, file: Path) -> None:
    need(shutil.which("promtool") is not None, "promtool is missing (apt-get install prometheus)")
    done = subprocess.run(
        ["promtool", what, "rules", file.name],
        cwd=FOLDER,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_every_alert_is_tested_and_documented() -> None:
    assert set(re.findall(r"alertname: (\w+)", TESTS.read_text())) == ALERTS
    assert set(re.findall(r"`(Prewire\w+)`", PAGE.read_text())) == ALERTS


def test_every_metric_in_the_rules_is_exported() -> None:
    tables = docs_interfaces.metrics_table() + docs_interfaces.predictor_metrics_table()
    tables += docs_interfaces.api_metrics_table()
    exported = set(re.findall(r"^\| `(\w+)`", tables, re.MULTILINE))
    exported |= {f"{name}_count" for name in exported}
    named = {
        name for file in (RULES, TESTS) for name in re.findall(r"prewire_\w+", file.read_text())
    }
    assert named
    assert named <= exported


def test_every_command_in_the_rules_is_there() -> None:
    known = docs_interfaces.command_names()
    text = " ".join(RULES.read_text().split())
    commands = re.findall(r"`prewire ([^`{]+?) ?(?:\{|`)", text)
    assert commands
    assert set(commands) <= set(known)
