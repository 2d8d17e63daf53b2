"""The units of deploy/systemd: what systemd says of them, and whether they run what there is."""

from __future__ import annotations

import configparser
import re
import shutil
import subprocess
from pathlib import Path
from typing import Final

import pytest

from prewire.docs.interfaces import command_names
from prewire.docs.writing import ROOT
from tests.needs import need

UNITS: Final = ROOT / "deploy/systemd"
SERVICES: Final = sorted(UNITS.glob("*.service"))
_EXPOSED: Final = {"prewire-node.service": 4.5}  # of 10; it makes network namespaces, as root
_EXPOSED_BY_DEFAULT: Final = 2.0


def unit(path: Path) -> configparser.ConfigParser:
    """A unit, of which the last of several equal keys counts."""
    read = configparser.ConfigParser(strict=False, interpolation=None)
    read.optionxform = str  # type: ignore[assignment,method-assign]
    read.read(path)
    return read


def analyze(*arguments: str) -> subprocess.CompletedProcess[str]:
    need(
        shutil.which("systemd-analyze") is not None,
        "systemd-analyze is not installed (apt-get install systemd)",
    )
    return subprocess.run(
        ["systemd-analyze", *arguments], capture_output=True, text=True, check=False, timeout=30
    )


def test_systemd_has_nothing_to_say_about_them(tmp_path: Path) -> None:
    for each in UNITS.iterdir():
        if each.is_file():  # with a program that is installed
            text = each.read_text().replace("/opt/prewire/bin/prewire", "/usr/bin/true")
            (tmp_path / each.name).write_text(text)
    units = [str(tmp_path / each.name) for each in (*SERVICES, UNITS / "prewire.target")]
    said = analyze("verify", "--man=no", *units)
    about_ours = [line for line in said.stderr.splitlines() if "prewire" in line]
    assert not about_ours, said.stderr


@pytest.mark.parametrize("path", SERVICES, ids=lambda path: path.stem)
def test_a_service_may_do_little(path: Path) -> None:
    said = analyze("security", "--offline=yes", "--no-pager", str(path))
    found = re.search(r"exposure level for \S+: ([0-9.]+)", said.stdout)
    assert found, said.stderr
    assert float(found[1]) <= _EXPOSED.get(path.name, _EXPOSED_BY_DEFAULT), said.stdout


@pytest.mark.parametrize("path", SERVICES, ids=lambda path: path.stem)
def test_a_service_runs_a_command_that_exists(path: Path) -> None:
    service = unit(path)["Service"]
    program, *words = service["ExecStart"].split()
    assert program == "/opt/prewire/bin/prewire"
    assert " ".join(word for word in words if not word.startswith("$")) in command_names()


def test_there_is_a_unit_for_every_process_and_the_target_starts_them() -> None:
    assert {each.stem for each in SERVICES} == {
        f"prewire-{name}" for name in ("nib", "controller", "api", "predictor", "node")
    }
    for each in SERVICES:
        read = unit(each)
        assert read["Unit"]["PartOf"] == read["Install"]["WantedBy"] == "prewire.target"


def test_only_the_node_agent_is_root() -> None:
    root = {each.stem for each in SERVICES if unit(each)["Service"].get("User") != "prewire"}
    assert root == {"prewire-node"}
