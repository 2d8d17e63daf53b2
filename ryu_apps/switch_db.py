"""Watches switches' own databases (Open_vSwitch) for iface-ids; reads only.

For each one thread with the OVSDB library's replica of the few columns needed. While a database is
away its last answer stands, and the thread goes on trying.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, Final
from uuid import UUID

import ovs.db.idl
import ovs.poller

from ryu_apps.attachments import Attachment, Attachments, Place, attachments_of

LOG = logging.getLogger(__name__)

_WAKE_MS: Final = 500


def _references(table: str) -> dict[str, Any]:
    key = {"type": "uuid", "refTable": table}
    return {"type": {"key": key, "min": 0, "max": "unlimited"}}


# The part of ovs-vswitchd.conf.db(5) that is read; the server checks it against its own schema.
_SCHEMA: Final = {
    "name": "Open_vSwitch",
    "version": "8.0.0",
    "tables": {
        "Bridge": {
            "columns": {
                "datapath_id": {"type": {"key": "string", "min": 0, "max": 1}},
                "ports": _references("Port"),
            }
        },
        "Port": {"columns": {"interfaces": _references("Interface")}},
        "Interface": {
            "columns": {
                "name": {"type": "string"},
                "external_ids": {
                    "type": {"key": "string", "value": "string", "min": 0, "max": "unlimited"}
                },
            }
        },
    },
}


class SwitchDatabases:
    """Calls `changed(attachments)` with what all databases say, whenever one of them changes.

    remotes: OVSDB connection methods with semicolons between them, one a database (each may be
    several servers with commas between them); "" for none. `changed` runs in a thread of each.
    """

    def __init__(self, remotes: str, changed: Callable[[Attachments], object]) -> None:
        self._changed = changed
        self._lock = threading.Lock()
        self._said: dict[str, Attachments] = {}
        given = [remote.strip() for remote in remotes.split(";")]
        self._databases = [
            SwitchDatabase(remote, partial(self._heard, remote)) for remote in given if remote
        ]

    def knows(self, dpid: str) -> bool:
        """Whether nothing more is to be heard of a switch before something changes."""
        with self._lock:
            is_complete = len(self._said) == len(self._databases)
        return is_complete or any(dpid in database.switches for database in self._databases)

    def start(self) -> None:
        """Begin to watch."""
        for database in self._databases:
            database.start()

    def close(self) -> None:
        """End within half a second."""
        for database in self._databases:
            database.ask_to_end()
        for database in self._databases:
            database.close()

    def _heard(self, remote: str, attachments: Attachments) -> None:
        with self._lock:
            self._said[remote] = attachments
            together: dict[Place, Attachment] = {}
            for said in self._said.values():
                together.update(said)
            self._changed(together)


class SwitchDatabase:
    """Calls `changed(attachments)` in its own thread whenever they or the switches change."""

    def __init__(self, remote: str, changed: Callable[[Attachments], object]) -> None:
        helper = ovs.db.idl.SchemaHelper(schema_json=_SCHEMA)
        helper.register_all()
        self._idl = ovs.db.idl.Idl(remote, helper, probe_interval=5000)
        self.switches: frozenset[str] = frozenset()  # the datapath ids that it has
        self._ids: dict[UUID, Sequence[str]] = {}  # of bridges, by row
        self._changed = changed
        self._ending = threading.Event()
        self._thread = threading.Thread(target=self._run, name="switch-db", daemon=True)

    def start(self) -> None:
        """Begin to watch."""
        self._thread.start()

    def ask_to_end(self) -> None:
        """Have it end soon."""
        self._ending.set()

    def close(self) -> None:
        """End within half a second."""
        self._ending.set()
        self._thread.join(5)

    def _run(self) -> None:
        seen: tuple[Attachments, frozenset[str]] | None = None
        seqno = self._idl.change_seqno
        while not self._ending.is_set():
            self._idl.run()
            if self._idl.has_ever_connected() and self._idl.change_seqno != seqno:
                seqno = self._idl.change_seqno
                bridges = self._idl.tables["Bridge"].rows.values()
                self._ids = {each.uuid: self._ids_of(each) for each in bridges}
                found = attachments_of(bridges, self._ids)
                self.switches = frozenset(dpid for ids in self._ids.values() for dpid in ids)
                if (found, self.switches) != seen:
                    seen = found, self.switches
                    self._changed(found)
            poller = ovs.poller.Poller()
            self._idl.wait(poller)
            poller.timer_wait(_WAKE_MS)
            poller.block()
        self._idl.close()

    def _ids_of(self, bridge: Any) -> Sequence[str]:
        """Its datapath id, as told last: a server that was started anew has forgotten it until
        ovs-vswitchd is connected to it again, and the bridge is what it was."""
        return list(bridge.datapath_id) or self._ids.get(bridge.uuid, ())
