"""All of prewire in a directory and on ports of its own, for whatever switches connect.

Owns starting and ending it. There is no predictor.
"""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from benchmarks.sites.api import Api
from prewire import settings, up
from prewire.commands.credentials import token_for
from prewire.ports import free_port
from prewire.processes import Child
from prewire.settings import Settings

_LOG_SHOWN: Final = 3000  # characters


@dataclass(frozen=True, slots=True)
class Whole:
    """What runs. `children` is replaced in place where one is started again."""

    settings: Settings
    children: list[Child]
    api: Api

    @property
    def target(self) -> str:
        """Where switches connect, as Open vSwitch writes it."""
        return f"tcp:127.0.0.1:{self.settings.controller_port}"

    def pid(self, name: str) -> int:
        """Of one of its processes: "nib", "controller" or "api"."""
        return next(child.process.pid for child in self.children if child.name == name)


def api_of(given: Settings, timeout_s: float | None = None) -> Api:
    """A connection to the REST server of these settings, as its operator."""
    token = token_for(given.api_url, given)
    return (
        Api(given.api_port, token) if timeout_s is None else Api(given.api_port, token, timeout_s)
    )


@contextmanager
def running_prewire(timeout_s: float = 30.0, **given: Any) -> Iterator[Whole]:
    """It answers inside the body. given: settings other than the usual; timeout_s: of one request.

    Raises CommandFailed or NibError where something does not start. Where the body ends by an
    error, the end of the log goes to standard error.
    """
    with tempfile.TemporaryDirectory(prefix="prewire-bench-", dir="/tmp") as directory:
        chosen = settings.load(
            state_dir=Path(directory),
            nib="",
            log_level="warning",
            api_port=free_port(8686),
            controller_port=free_port(6653),
            metrics_port=free_port(9686),
            predictor_port=0,
            **given,
        )
        log = Path(directory) / "log"
        with up.running(chosen, log) as children, closing(api_of(chosen, timeout_s)) as api:
            try:
                yield Whole(chosen, children, api)
            except Exception:
                print(log.read_text()[-_LOG_SHOWN:], end="", file=sys.stderr)
                raise
