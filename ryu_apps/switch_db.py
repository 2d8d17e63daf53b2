"""Watches a switch's own database (Open_vSwitch) for iface-ids; reads only.

One thread with the OVSDB library's replica of the few columns needed. While the database is away
the last answer stands, and the thread goes on trying.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Mapping
from typing import Any, Final

import ovs.db.idl
import ovs.poller

from ryu_apps.ports import Attachment, attachments_of

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


class SwitchDatabase:
    """Calls `changed(attachments)` in its own thread whenever they change."""

    def __init__(
        self, remote: str, changed: Callable[[Mapping[tuple[str, str], Attachment]], object]
    ) -> None:
        helper = ovs.db.idl.SchemaHelper(schema_json=_SCHEMA)
        helper.register_all()
        self._idl = ovs.db.idl.Idl(remote, helper, probe_interval=5000)
        self._changed = changed
        self._ending = threading.Event()
        self._thread = threading.Thread(target=self._run, name="switch-db", daemon=True)

    def start(self) -> None:
        """Begin to watch."""
        self._thread.start()

    def close(self) -> None:
        """End within half a second."""
        self._ending.set()
        self._thread.join(5)

    def _run(self) -> None:
        seen: dict[tuple[str, str], Attachment] = {}
        seqno = self._idl.change_seqno
        while not self._ending.is_set():
            self._idl.run()
            if self._idl.has_ever_connected() and self._idl.change_seqno != seqno:
                seqno = self._idl.change_seqno
                found = attachments_of(self._idl.tables["Bridge"].rows.values())
                if found != seen:
                    seen = found
                    self._changed(found)
            poller = ovs.poller.Poller()
            self._idl.wait(poller)
            poller.timer_wait(_WAKE_MS)
            poller.block()
        self._idl.close()
