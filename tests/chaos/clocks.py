"""Clocks of single processes that jump; the machine's own is never touched.

A small library is preloaded into each process (`clock.c`), and a file says how far its clock is
off. Time that only passes (CLOCK_MONOTONIC) is left alone, as where an administrator or NTP sets a
clock. libfaketime is not used: with it, `time.sleep` of Python fails.
"""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Final

from topologies.processes import run

NONE: Final = "gcc is not installed, which clocks that jump need (apt-get install gcc libc6-dev)"
VARIABLE: Final = "CHAOS_CLOCK"

_SOURCE: Final = Path(__file__).with_name("clock.c")
_RIGHT: Final = "+0\n"


def has_compiler() -> bool:
    """Whether the library can be made."""
    return shutil.which("gcc") is not None


def library(directory: Path) -> Path:
    """Make it."""
    made = directory / "clock.so"
    run(["gcc", "-shared", "-fPIC", "-O2", "-Wall", "-Werror", "-o", str(made), str(_SOURCE)])
    return made


def environment(preloaded: Path, clock: Path) -> dict[str, str]:
    """For a process whose clock is set by this file, which is made where it is absent."""
    if not clock.exists():
        set_right(clock)
    return {VARIABLE: str(clock), "LD_PRELOAD": str(preloaded)}


def server_wrapper(preloaded: Path) -> list[str]:
    """Before `ovsdb-server DATABASE`: has it take its clock from `clock` beside the database."""
    given = f'{VARIABLE}="${{2%/*}}/clock" LD_PRELOAD={preloaded}'
    return ["sh", "-c", f'exec env {given} "$@"', "clocked"]


def set_off(clock: Path, seconds: int) -> None:
    """The clock jumps to so many seconds after, or before, the right time."""
    _write(clock, f"{seconds:+d}\n")


def set_right(clock: Path) -> None:
    """It jumps back to the right time."""
    _write(clock, _RIGHT)


def _write(clock: Path, text: str) -> None:
    """In one step: who reads it meanwhile sees the old or the new."""
    new = clock.with_suffix(".new")
    new.write_text(text, "ascii")
    new.replace(clock)
