"""Rounds of questions to switches: who still owes an answer.

One round at a time for each asker (a service). A round is over when every switch has answered all
of its questions, has gone, or has taken too long. Pure: message ids and times in.

Must not know: what is asked.
"""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(slots=True)
class Round:
    """since: when it began; owed: switch by message id."""

    since: float
    owed: dict[int, str] = field(default_factory=dict)


class Rounds:
    """By asker's name; patience: seconds that a switch may owe an answer."""

    def __init__(self, patience: float) -> None:
        self._patience = patience
        self._rounds: dict[str, Round] = {}
        self._askers: dict[int, str] = {}  # by message id

    def is_open(self, asker: str) -> bool:
        """Whether answers are awaited."""
        return asker in self._rounds

    def late(self, asker: str, now: float) -> set[str]:
        """The switches that have taken too long to answer; if there are any, the round is over."""
        found = self._rounds.get(asker)
        if found is None or now - found.since <= self._patience:
            return set()
        self.end(asker)
        return set(found.owed.values())

    def begin(self, asker: str, owed: dict[int, str], now: float) -> None:
        """Questions were sent, by message id and to which switch."""
        self.end(asker)
        if owed:
            self._rounds[asker] = Round(now, owed)
            self._askers.update(dict.fromkeys(owed, asker))

    def end(self, asker: str) -> None:
        """Await no more answers."""
        found = self._rounds.pop(asker, None)
        for xid in found.owed if found else ():
            self._askers.pop(xid, None)

    def asker(self, xid: int) -> str | None:
        """Whose question a message answers; None where it is no one's, or comes too late."""
        return self._askers.get(xid)

    def answered(self, xid: int) -> bool:
        """An awaited question was answered in full: whether its round is over with that."""
        asker = self._askers.pop(xid)
        del self._rounds[asker].owed[xid]
        return self._is_over(asker)

    def left(self, dpid: str) -> list[str]:
        """A switch has gone: the askers whose rounds are over with that."""
        over = []
        for asker, found in list(self._rounds.items()):
            lost = [xid for xid, switch in found.owed.items() if switch == dpid]
            for xid in lost:
                del found.owed[xid], self._askers[xid]
            if lost and self._is_over(asker):
                over.append(asker)
        return over

    def _is_over(self, asker: str) -> bool:
        if self._rounds[asker].owed:
            return False
        del self._rounds[asker]
        return True
