"""The wheel: it has every file that the rooms have, and works where nothing of the clone is."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import sysconfig
import venv
import zipfile
from pathlib import Path
from typing import Final

import pytest

from prewire import __version__
from tests.commands import environment
from tests.needs import need_ovs
from tests.places import free_ports, short_directory
from tests.waiting import until

ROOT: Final = Path(__file__).parents[2]
ROOMS: Final = sorted(path.parent.name for path in ROOT.glob("*/py.typed"))
_BESIDE: Final = ("setup.cfg", "pyproject.toml", "README.md", "LICENSE")
_SOURCES: Final = (".proto",)  # what generated modules were made from


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Built from a copy, so that nothing of an earlier build is in it."""
    source, target = tmp_path_factory.mktemp("source"), tmp_path_factory.mktemp("wheel")
    for room in ROOMS:
        ignored = shutil.ignore_patterns("__pycache__")
        shutil.copytree(ROOT / room, source / room, ignore=ignored)
    for name in _BESIDE:
        shutil.copy(ROOT / name, source)
    build = [sys.executable, "-m", "pip", "wheel", "-q", "--no-deps", "--no-build-isolation"]
    done = subprocess.run(
        [*build, "-w", str(target), str(source)], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    (made,) = target.glob("*.whl")
    return made


def test_it_has_every_file_of_every_room(wheel: Path) -> None:
    there = {
        str(path.relative_to(ROOT))
        for room in ROOMS
        for path in (ROOT / room).rglob("*")
        if path.is_file() and "__pycache__" not in path.parts and path.suffix not in _SOURCES
    }
    with zipfile.ZipFile(wheel) as archive:
        packed = {name for name in archive.namelist() if ".dist-info/" not in name}
    missing = sorted(there - packed)
    assert not missing, f"name them in options.package_data of setup.cfg: {missing}"
    assert packed <= there


def test_what_it_installs_runs(wheel: Path, tmp_path: Path) -> None:
    need_ovs()
    place = tmp_path / "venv"
    venv.create(place, with_pip=False, symlinks=True)
    python = place / "bin/python"
    install = ["-m", "pip", "-q", f"--python={python}", "install", "--no-deps", "--no-index"]
    subprocess.run([sys.executable, *install, str(wheel)], check=True)
    own = next(place.glob("lib/python*/site-packages"))
    (own / "others.pth").write_text(sysconfig.get_path("purelib"))  # but not our editable self
    command = str(place / "bin/prewire")
    said = subprocess.run([command, "--version"], capture_output=True, text=True, check=True)
    assert said.stdout == f"prewire {__version__}\n"
    where = subprocess.run(
        [python, "-c", "import nib; print(nib.__file__)"],
        capture_output=True,
        text=True,
        check=True,
        cwd=tmp_path,
    )
    assert where.stdout.startswith(str(own))
    _up(command, tmp_path / "up.log")


def _up(command: str, log: Path) -> None:
    """`prewire up` with the schema, the page and all else as installed; ends in order."""
    with short_directory() as state, log.open("wb") as output:
        settings = free_ports() | {"state_dir": state, "switch_db": "", "access": "open"}
        given = {f"PREWIRE_{name.upper()}": str(value) for name, value in settings.items()}
        process = subprocess.Popen(
            [command, "up"],
            env=environment(given),
            cwd=state,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            start_new_session=True,
        )
        try:
            until(log.read_text, lambda text: "prewire is up" in text, "prewire is up", 40)
            assert process.poll() is None
        finally:
            os.kill(process.pid, signal.SIGTERM)
            process.wait(60)
        assert process.returncode == 0, log.read_text()
