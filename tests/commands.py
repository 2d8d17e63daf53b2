"""Running the command `prewire`: as a process, or in this one where many are run."""

from __future__ import annotations

import functools
import io
import os
import signal
import subprocess
import sys
from collections.abc import Mapping
from contextlib import redirect_stderr, redirect_stdout
from typing import Final
from unittest import mock

import typer

from prewire import cli

Finished = subprocess.CompletedProcess[str]

_BUILT: Final = functools.cache(typer.main.get_command)  # once: it takes longer than most commands

NOTHING: Final[Mapping[str, str]] = {}


def command(*arguments: str) -> list[str]:
    """The command line, for the interpreter that runs the tests."""
    return [sys.executable, "-m", "prewire", *arguments]


def environment(given: Mapping[str, str] = NOTHING) -> dict[str, str]:
    """This process's environment without settings of prewire, and with those given."""
    own = {name: value for name, value in os.environ.items() if not name.startswith("PREWIRE_")}
    return {**own, **given}


def run(*arguments: str, env: Mapping[str, str] = NOTHING, timeout_s: float = 60.0) -> Finished:
    """A process, to its end."""
    return subprocess.run(
        command(*arguments),
        env=environment(env),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=timeout_s,
        check=False,
    )


def run_here(*arguments: str, env: Mapping[str, str] = NOTHING) -> Finished:
    """The same code without a process of its own: for commands that only ask, or refuse to run."""
    out, err = io.StringIO(), io.StringIO()
    code: object = 0
    handlers = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    with (
        mock.patch.object(sys, "argv", ["prewire", *arguments]),
        mock.patch.object(typer.main, "get_command", _BUILT),
        mock.patch.dict(os.environ, environment(env), clear=True),
        redirect_stdout(out),
        redirect_stderr(err),
    ):
        try:
            cli.main()
        except SystemExit as end:
            code = end.code or 0
        finally:
            for number, handler in handlers.items():
                signal.signal(number, handler)
    assert isinstance(code, int), f"exit with {code!r}"
    return Finished(list(arguments), code, out.getvalue(), err.getvalue())


def one_line(finished: Finished) -> str:
    """The one line that a failed command complains with; no traceback, nothing else."""
    assert finished.returncode == 1, finished
    assert finished.stderr.startswith("prewire: "), finished
    assert finished.stderr.count("\n") == 1, finished
    assert finished.stdout == "", finished
    return finished.stderr.strip()
