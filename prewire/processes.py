"""Child processes of `prewire up`: started, watched, ended by id.

A child also gets SIGTERM from the kernel when this process dies, however it dies, so that an
interrupted run leaves nothing behind.
"""

from __future__ import annotations

import os
import select
import shutil
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import IO, Final

_GRACE_SECONDS: Final = 8.0


@dataclass(slots=True)
class Child:
    """One process and what it is called."""

    name: str
    process: subprocess.Popen[bytes]


def start(
    name: str,
    arguments: Sequence[str],
    environment: Mapping[str, str],
    output: IO[bytes] | None = None,
) -> Child:
    """Start `prewire ARGUMENTS`; its output goes where ours does, or to `output`."""
    command = [*tied(), sys.executable, "-m", "prewire", *arguments]
    process = subprocess.Popen(
        command,
        env=dict(environment),
        stdin=subprocess.DEVNULL,
        stdout=output,
        stderr=output,
        start_new_session=True,
    )
    return Child(name, process)


def tied() -> list[str]:
    """What to put before a command so that it ends with this process (util-linux's setpriv)."""
    setpriv = shutil.which("setpriv")
    return [setpriv, "--pdeathsig", "TERM"] if setpriv else []


def wait_any(children: Sequence[Child], seconds: float) -> Child | None:
    """A child that ended of itself, waited for that long at most."""
    pids = {os.pidfd_open(child.process.pid): child for child in children if _lives(child)}
    try:
        for child in children:
            if not _lives(child):
                return child
        ended, _, _ = select.select(list(pids), [], [], seconds)
        return pids[ended[0]] if ended else None
    finally:
        for descriptor in pids:
            os.close(descriptor)


def _lives(child: Child) -> bool:
    return child.process.poll() is None


def stop(children: Sequence[Child]) -> None:
    """End the children, the last one first: SIGTERM, then SIGKILL after a while."""
    for child in reversed(children):
        if _lives(child):
            child.process.send_signal(signal.SIGTERM)
    for child in reversed(children):
        try:
            child.process.wait(_GRACE_SECONDS)
        except subprocess.TimeoutExpired:
            child.process.kill()
            child.process.wait()
