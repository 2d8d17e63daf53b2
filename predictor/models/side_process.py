"""One piece of work at a time in a process of its own, which can be ended at any moment.

Must not know: what the work is.
"""

from __future__ import annotations

import multiprocessing
import os
from collections.abc import Callable
from multiprocessing.connection import Connection
from multiprocessing.context import SpawnProcess
from typing import Any, Final

_NICENESS: Final = 10
_GRACE_S: Final = 1.0


class SideProcess:
    """Work that was begun, and its result."""

    def __init__(self, work: Callable[..., Any], *args: Any) -> None:
        """OSError where no process can be started."""
        context = multiprocessing.get_context("spawn")
        self._results, told = context.Pipe(duplex=False)
        self._process: SpawnProcess = context.Process(
            target=_run, args=(told, work, args), daemon=True
        )
        self._process.start()
        told.close()

    def done(self) -> bool:
        """Whether `result` returns at once."""
        return self._results.poll()

    def result(self) -> Any:
        """What the work returned; raises what it raised, RuntimeError where the process died."""
        try:
            is_made, value = self._results.recv()
        except EOFError:
            self._process.join(_GRACE_S)
            code = self._process.exitcode
            raise RuntimeError(f"the process ended with {code}, without a result") from None
        finally:
            self._results.close()
        self._process.join(_GRACE_S)
        if not is_made:
            raise value
        return value

    def end(self) -> None:
        """At once; the work is lost."""
        self._process.terminate()
        self._process.join(_GRACE_S)
        if self._process.exitcode is None:
            self._process.kill()
            self._process.join(_GRACE_S)


def _run(told: Connection, work: Callable[..., Any], args: tuple[Any, ...]) -> None:
    os.nice(_NICENESS)
    try:
        answer = (True, work(*args))
    except Exception as error:  # the caller gets it
        answer = (False, error)
    told.send(answer)
