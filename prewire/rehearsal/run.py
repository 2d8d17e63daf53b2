"""The whole of a rehearsal: state, predict, wait for the first containers, send, look on.

Must not know: who shows it.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Final

from prewire.commands.client import Client
from prewire.errors import CommandFailed
from prewire.rehearsal.course import Course, Sample, observe, ready_now
from prewire.rehearsal.scene import AHEAD, BEHIND, Loads, predicting, state
from prewire.settings import Settings
from topologies.hosts import Hosts

_READY_SECONDS: Final = 120.0
_PAUSE_SECONDS: Final = 0.25

Progress = Callable[[float, Sample], None]


class NotRehearsed(CommandFailed):
    """It did not come as far as the first request."""


def rehearse(
    given: Settings, hosts: Hosts, directory: Path, loads: Loads, progress: Progress
) -> Course:
    """On a network whose switch is connected and whose prewire runs without a predictor.

    directory: for what is made on the way; the predictor's log among it. Raises NotRehearsed.
    """
    client = Client.of(given)
    state(client, hosts)
    with (
        (directory / "predictor.log").open("ab") as log,
        predicting(given, hosts, directory, loads, log),
    ):
        _await_first(client)
        return observe(client, hosts, loads, progress)


def _await_first(client: Client) -> None:
    deadline = time.monotonic() + _READY_SECONDS
    while min(ready_now(client).get(name, 0) for name in (AHEAD, BEHIND)) < 1:
        if time.monotonic() > deadline:
            raise NotRehearsed(
                f"no container of each service was ready within {_READY_SECONDS:.0f} s"
            )
        time.sleep(_PAUSE_SECONDS)
