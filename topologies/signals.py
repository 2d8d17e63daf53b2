"""SIGINT and SIGTERM as exceptions, never in the middle of building or removing.

Owns the handlers of the two signals for the time of one `with` block. Outside the main thread,
where Python cannot set handlers, it leaves everything as it is.
"""

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

_SIGNALS = (signal.SIGINT, signal.SIGTERM)


class SignalGate:
    """Raises KeyboardInterrupt or SystemExit for a signal when open; keeps it when closed."""

    def __init__(self) -> None:
        self._is_open = False
        self._kept: int | None = None

    def receive(self, number: int, _frame: FrameType | None) -> None:
        self._kept = number
        if self._is_open:
            self._raise_kept()

    def open(self) -> None:
        """Let signals through, first one that came while closed."""
        self._is_open = True
        self._raise_kept()

    def close(self) -> None:
        self._is_open = False

    def _raise_kept(self) -> None:
        number, self._kept = self._kept, None
        if number == signal.SIGINT:
            raise KeyboardInterrupt
        if number is not None:
            raise SystemExit(128 + number)


@contextmanager
def gated() -> Iterator[SignalGate]:
    """A closed gate in charge of both signals; the former handlers come back at the end."""
    gate = SignalGate()
    if threading.current_thread() is not threading.main_thread():
        yield gate
        return
    former = {number: signal.signal(number, gate.receive) for number in _SIGNALS}
    try:
        yield gate
    finally:
        for number, handler in former.items():
            signal.signal(number, handler)
    gate.open()
