"""The raw OVSDB IDL, turned into row changes.

Owns: the connection's settings, the map between records and IDL rows, and the reload after a
reconnection (the IDL itself says nothing about rows that vanished meanwhile).
Must not know: threads, futures, or who listens. All of it runs in the nib thread.

Only rows the server named are converted, however many the tables hold.
"""

from __future__ import annotations

import logging
import re
import sys
from collections.abc import Collection, Iterable
from typing import Any
from uuid import UUID

import ovs.db.error
import ovs.db.idl
import ovs.jsonrpc

from nib.errors import FieldError
from nib.mirror import RowChange
from nib.polling import is_green
from nib.records import RECORD_CLASSES, Key, Record
from nib.rows import DATABASE, KINDS, LAYOUTS, packaged_schema, record_of_row
from nib.told import Columns, ToldRow

LOG = logging.getLogger(__name__)

MIN_BACKOFF_MS = 100
MAX_BACKOFF_MS = 500
PROBE_INTERVAL_MS = 5000
CLUSTER_PROBE_INTERVAL_MS = 1500


def split_remotes(remote: str) -> list[str]:
    """'tcp:a:1,tcp:b:1' as a list; a comma inside a unix path does not split."""
    return re.split(r",(?=[a-z]+:)", remote)


def tune(session: Any) -> None:
    """Reconnect within half a second, and notice a hung server on a unix socket too.

    It is given up after two intervals of silence. Of several servers another can do its work by
    then: they elect a leader within two seconds.
    `Reconnect.set_backoff` silently raises anything below a second, hence the attributes.
    """
    session.reconnect.min_backoff = MIN_BACKOFF_MS
    session.reconnect.max_backoff = MAX_BACKOFF_MS
    several = session.get_num_of_remotes() > 1
    interval_ms = CLUSTER_PROBE_INTERVAL_MS if several else PROBE_INTERVAL_MS
    session.reconnect.set_probe_interval(interval_ms)


def begin_with(session: Any, first: str) -> None:
    """Have a session that has not begun connect to this one of its servers, then to the others."""
    session.remotes.sort(key=lambda remote: remote != first)
    session.next_remote = 0
    session.pick_remote()


class Replica(ovs.db.idl.Idl):  # type: ignore[misc]
    """The IDL of our schema. A row that holds what no record may is left out, and logged.

    first: the server to begin with, of several; the library would begin with any.
    without: kinds whose rows are neither asked for nor written.
    """

    def __init__(
        self, remote: str, first: str = "", without: Collection[type[Record]] = ()
    ) -> None:
        schema = packaged_schema()
        self._columns = {name: Columns(table) for name, table in schema["tables"].items()}
        helper = ovs.db.idl.SchemaHelper(schema_json=schema)
        for kind, layout in LAYOUTS.items():
            if kind not in without:
                helper.register_table(layout.table)
        super().__init__(remote, helper)  # in a cluster, it connects to the leader only
        tune(self._session)
        begin_with(self._session, first)
        self._green_sleep = sys.modules["eventlet"].sleep if is_green() else None
        self._dirty: dict[type[Record], set[UUID]] = {kind: set() for kind in RECORD_CLASSES}
        self._known: dict[type[Record], dict[UUID, Record]] = {k: {} for k in RECORD_CLASSES}
        self._uuids: dict[type[Record], dict[Key, UUID]] = {kind: {} for kind in RECORD_CLASSES}
        self._reload = True
        self._clusters: set[str] = set()

    @property
    def loaded(self) -> bool:
        """Connected, and showing everything the server has told."""
        return bool(self._session.is_connected() and self.state == self.IDL_S_MONITORING)

    @property
    def is_clustered(self) -> bool:
        """Whether the server is one of a cluster."""
        return any(row.model == "clustered" for row in self._served())

    def force_reconnect(self) -> None:
        """IDL hook: try the next server.

        The library never goes back to an earlier place in a cluster's log, for that would be an old
        state. A cluster that was begun anew is another one, with a log of its own.
        """
        clusters = self._served_clusters()
        if clusters and self._clusters and clusters != self._clusters:
            self._min_index = 0
        super().force_reconnect()

    def _served_clusters(self) -> set[str]:
        return {str(each) for row in self._served() for each in row.cid}

    def _served(self) -> list[Any]:
        """What the server says of our database: one row, or none before it said anything."""
        tables = self.server_tables
        rows = tables[self._server_db_table].rows.values() if tables else ()
        return [row for row in rows if row.name == DATABASE]

    @property
    def session_seqno(self) -> int:
        """Changes whenever the connection is lost or made."""
        return int(self._session.get_seqno())

    @property
    def lock_name(self) -> str | None:
        """The lock asked for; None while a transaction is made: ours do not depend on the lock."""
        return None if self.txn is not None else self._lock_name

    @lock_name.setter
    def lock_name(self, name: str | None) -> None:
        self._lock_name = name

    def ask_lock(self, name: str) -> None:
        """Wait for this lock, from now on and in every connection to come; see `has_lock`."""
        self.lock_name = name
        request = ovs.jsonrpc.Message.create_request("lock", [name])
        if self._session.is_connected() and self._session.send(request) == 0:
            self._lock_request_id = request.id

    def drop_lock(self, name: str) -> None:
        """Give the lock up, or the wait for it."""
        self.lock_name = None
        self.has_lock = False
        if self._session.is_connected():
            self._session.send(ovs.jsonrpc.Message.create_request("unlock", [name]))

    def _Idl__process_update2(self, table: Any, uuid: UUID, told: Any) -> Any:
        """IDL's own, for rows of our schema: their columns are kept as they are told.

        Returns whom to notify, or False. Those of the server about itself are the library's.
        """
        if table.name not in self._columns:
            return super()._Idl__process_update2(table, uuid, told)
        columns, row = self._columns[table.name], table.rows.get(uuid)
        new = told.get("insert", told.get("initial"))
        if "modify" in told:
            if row is None:
                raise ovs.db.error.Error(f"a row of {table.name} is modified that is not there")
            columns.modify(row._data, told["modify"])
            return ovs.db.idl.Notice(ovs.db.idl.ROW_UPDATE, row)
        if row is not None:
            del table.rows[uuid]
        if new is None:
            return row is not None and ovs.db.idl.Notice(ovs.db.idl.ROW_DELETE, row)
        table.rows[uuid] = row = ToldRow(table, uuid, columns.inserted(new))
        return ovs.db.idl.Notice(ovs.db.idl.ROW_CREATE, row)

    def _Idl__process_update(self, table: Any, uuid: UUID, old: Any, new: Any) -> Any:
        """IDL's own, for servers before Open vSwitch 2.6: they tell whole rows."""
        if table.name not in self._columns:
            return super()._Idl__process_update(table, uuid, old, new)
        return self._Idl__process_update2(table, uuid, {"initial": new} if new else {})

    def notify(self, event: str, row: Any, updates: Any = None) -> None:  # noqa: ARG002
        """IDL hook: remember that this row changed."""
        self._dirty[KINDS[row._table.name]].add(row.uuid)

    def cooperative_yield(self) -> None:
        """IDL hook: let other green threads run while many rows are parsed."""
        if self._green_sleep is not None:
            self._green_sleep(0)

    def reference(self, kind: type[Record], key: Key) -> list[str]:
        """How JSON refers to this record's row; raises KeyError when there is none."""
        return ["uuid", str(self._uuids[kind][key])]

    def stored(self, kind: type[Record], key: Key) -> dict[str, Any]:
        """The columns of this record's row as the server told them, as JSON (RFC 7047 section 5.1).

        A row may hold another text for the same record: in a database of an older version, a column
        that is empty reads as its default. Raises KeyError when there is no such row.
        """
        layout = LAYOUTS[kind]
        row = self.tables[layout.table].rows[self._uuids[kind][key]]
        return {column: row._data[column] for column in layout.columns}

    def take_changes(self) -> tuple[RowChange, ...]:
        """What changed since the last call, net of detours; () while a reload is under way."""
        if not self.loaded:
            self._reload = True
            return ()
        if self._reload:
            self._reload = False
            self._clusters = self._served_clusters()
            for kind, known in self._known.items():
                self._dirty[kind].update(known)
        inserted: list[RowChange] = []
        deleted: list[RowChange] = []
        for kind in RECORD_CLASSES:
            for change in self._changes_of(kind):
                (deleted if change.new is None else inserted).append(change)
        return (*inserted, *reversed(deleted))

    def _changes_of(self, kind: type[Record]) -> Iterable[RowChange]:
        dirty = self._dirty[kind]
        if not dirty:
            return ()
        self._dirty[kind] = set()
        known, uuids = self._known[kind], self._uuids[kind]
        before: dict[Key, Record] = {}
        after: dict[Key, Record] = {}
        for uuid in dirty:
            old = known.pop(uuid, None)
            if old is not None:
                before[old.key] = old
                del uuids[old.key]
        for uuid in dirty:
            new = self._record(kind, uuid)
            if new is not None:
                known[uuid] = after[new.key] = new
                uuids[new.key] = uuid
        keys = dict.fromkeys((*before, *after))
        return [
            RowChange(before.get(key), after.get(key))
            for key in keys
            if before.get(key) != after.get(key)
        ]

    def _record(self, kind: type[Record], uuid: UUID) -> Record | None:
        row = self.tables[LAYOUTS[kind].table].rows.get(uuid)
        if row is None:
            return None
        try:
            return record_of_row(kind, row._data, self._service_name)
        except FieldError as error:
            LOG.error("leaving out row %s of %s: %s", uuid, LAYOUTS[kind].table, error)
            return None

    def _service_name(self, uuid: str) -> str:
        return str(self.tables["Service"].rows[UUID(uuid)]._data["name"])
