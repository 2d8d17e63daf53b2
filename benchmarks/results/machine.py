"""What figures were taken on: the machine, the versions of all that took part, the commit."""

from __future__ import annotations

import os
import platform
import re
import subprocess
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

_ROOT: Final = Path(__file__).parents[2]
_PROGRAMS: Final[tuple[tuple[str, tuple[str, ...]], ...]] = (
    ("Open vSwitch", ("ovs-vswitchd", "--version")),
    ("OVN", ("ovn-nbctl", "--version")),
    ("HAProxy", ("haproxy", "-v")),
    ("nginx", ("nginx", "-v")),
    ("wrk", ("wrk", "-v")),
)
_VERSION: Final = re.compile(r"\d+(?:\.\d+)+\S*")


def described() -> dict[str, str]:
    """Name and value; a program that is not installed is left out."""
    found = {
        "date": f"{datetime.now(UTC):%Y-%m-%d %H:%M} UTC",
        "commit": _commit(),
        "processor": f"{os.cpu_count()} cores, {_first('/proc/cpuinfo', 'model name')}",
        "memory": f"{int(_first('/proc/meminfo', 'MemTotal').split()[0]) / 2**20:.0f} GiB",
        "kernel": ".".join(platform.release().split(".")[:2]),
        "system": platform.freedesktop_os_release().get("PRETTY_NAME", ""),
        "Python": platform.python_version(),
    }
    versions = {name: _version(command) for name, command in _PROGRAMS}
    return found | {name: version for name, version in versions.items() if version}


def stolen_seconds() -> float:
    """Processor time that the machine wanted and others of its host had, since it started: the
    sum of all processors (proc(5), steal)."""
    steal = Path("/proc/stat").read_text(encoding="ascii").split(maxsplit=9)[8]
    return int(steal) / os.sysconf("SC_CLK_TCK")


def _first(file: str, key: str) -> str:
    lines = (line.partition(":") for line in Path(file).read_text().splitlines())
    return next((value.strip() for name, _, value in lines if name.strip() == key), "unknown")


def _version(command: Sequence[str]) -> str:
    found = _VERSION.search(_said(command))
    return found[0] if found else ""


def _commit() -> str:
    """Of the tree that is measured; `and changes` where it has some."""
    commit = _said(("git", "-C", str(_ROOT), "rev-parse", "--short", "HEAD")).strip()
    changed = _said(("git", "-C", str(_ROOT), "status", "--porcelain", "--untracked-files=no"))
    return f"{commit} and changes" if changed.strip() else commit


def _said(command: Sequence[str]) -> str:
    """All of what a command prints; "" where there is no such command."""
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=10, check=False)
    except OSError:
        return ""
    return done.stdout + done.stderr
