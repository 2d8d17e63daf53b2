"""Two switches with one datapath id: the second is refused while the first answers.

The question is decided before any app hears of the newcomer, in the newcomer's own thread, which
may wait. A switch that comes anew while its old connection is not known to be dead is let in when
the old one is silent for ANSWER_SECONDS.

Must not know: sessions, the database.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from typing import Any, Final

from ryu_apps import framework
from ryu_apps.control_wire import echo_request
from ryu_apps.message_ids import DOUBLES

LOG = logging.getLogger(__name__)

ANSWER_SECONDS: Final = 1.0


class Doubles:
    """May be used from any thread. refused: told the datapath id and the problem, as text."""

    def __init__(self, refused: Callable[[str, str], object]) -> None:
        self._refused = refused
        self._lock = threading.Lock()
        self._known: dict[int, Any] = {}
        self._asked: dict[Any, threading.Event] = {}

    def admit(self, newcomer: Any) -> bool:
        """Whether a switch that said who it is may come in."""
        with self._lock:
            first = self._known.get(newcomer.id)
            if first is None or first is newcomer or not framework.is_open(first):
                self._known[newcomer.id] = newcomer
                return True
        if self._answers(first):
            self._complain(first, newcomer)
            return False
        LOG.warning("switch %016x comes anew; its old connection is silent", newcomer.id)
        with self._lock:
            self._known[newcomer.id] = newcomer
        framework.end(first)
        return True

    def answered(self, datapath: Any) -> None:
        """A switch answered an echo request."""
        with self._lock:
            asked = self._asked.get(datapath)
        if asked is not None:
            asked.set()

    def _answers(self, first: Any) -> bool:
        with self._lock:
            answered = self._asked.setdefault(first, threading.Event())
        framework.send(first, echo_request(DOUBLES))
        found = answered.wait(ANSWER_SECONDS)
        with self._lock:
            self._asked.pop(first, None)
        return found

    def _complain(self, first: Any, newcomer: Any) -> None:
        problem = (
            f"another switch with this datapath id, at {_place(newcomer)}, is refused while the "
            f"one at {_place(first)} answers; give each bridge a datapath-id of its own"
        )
        LOG.error("switch %016x: %s", newcomer.id, problem)
        self._refused(framework.dpid_of(newcomer), problem)


def _place(datapath: Any) -> str:
    host, port = datapath.address[:2]
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
