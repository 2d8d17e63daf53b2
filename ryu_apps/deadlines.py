"""Ends what containers' rows say ends by time: a draining container goes, an expired lease drains.

Deadlines are in the rows, so a controller that starts anew takes them up. Leases are different from
draining in one way: they are renewed through the database, so after a time without it every
container has a whole lease again.

Must not know: slots, switches.
"""

from __future__ import annotations

from collections.abc import Iterable

from prometheus_client import Counter

from gateway_lb.lifecycle import is_expired, is_ready, next_deadline
from nib.changelog import Actor
from nib.intent import Container
from nib.mirror import Lookups, RowChange
from ryu_apps import rows
from ryu_apps.alarms import Alarms
from ryu_apps.mailbox import Mailbox
from ryu_apps.status import StatusWriter
from ryu_apps.ticks import Ticks, now_ms


class Deadlines:
    """To be used in the mailbox's thread only. view: the rows, up to date before `watch`.

    expirations: counts leases that expired, by service. actor: who events say did it.
    """

    def __init__(
        self,
        view: Lookups,
        mailbox: Mailbox,
        status: StatusWriter,
        expirations: Counter,
        *,
        actor: str = "",
    ) -> None:
        self._view = view
        self._status = status
        self._expirations = expirations
        self._actor = Actor(actor)
        self._alarms: Alarms[tuple[str, str]] = Alarms()
        self._ticks = Ticks(mailbox, self._meet)
        self._heard_since_ms = now_ms()
        self._is_heard = True

    def hear(self, connected: bool) -> None:
        """Whether the database is there now; to be told every second or so."""
        returned, self._is_heard = connected and not self._is_heard, connected
        if returned:
            self._heard_since_ms = now_ms()
            for container in self._view.all(Container):
                self._set(container.key)
            self._ticks.ask(self._alarms.earliest())

    def watch(self, changes: Iterable[RowChange]) -> None:
        """Rows changed."""
        for change in changes:
            if isinstance(change.record, Container):
                self._set(change.record.key)
                self._count(change)
        self._ticks.ask(self._alarms.earliest())

    def _set(self, key: tuple[str, str]) -> None:
        container = self._view.get(Container, key)
        at = None if container is None else next_deadline(container, self._heard_since_ms)
        self._alarms.set(key, at)

    def _count(self, change: RowChange) -> None:
        old, new = change.old, change.new
        if not isinstance(old, Container) or not isinstance(new, Container) or is_ready(new):
            return
        if is_expired(old, now_ms(), self._heard_since_ms):
            self._expirations.labels(new.service).inc()

    def _meet(self) -> None:
        """Act on the deadlines that have come; without the database they wait for its return."""
        if not self._is_heard:
            return
        now = now_ms()
        for key in self._alarms.take(now):
            change = rows.meet_deadline(key, now, self._heard_since, self._actor)
            self._status.note(("deadline", *key), change)
        self._ticks.ask(self._alarms.earliest())

    def _heard_since(self) -> int:
        """For a change that is written late: none expires by an outage that was not noticed yet."""
        return self._heard_since_ms if self._is_heard else now_ms()
