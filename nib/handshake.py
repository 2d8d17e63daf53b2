"""Before the replica starts: is the right database there, in a schema we can work with?

Owns: the version rule and the few JSON-RPC calls that find out.
Must not know: the replica, records, threads.

The rule: same major version, and the server's minor version at least ours (a newer minor only
adds).
"""

from __future__ import annotations

import errno
import time
from typing import Any

import ovs.jsonrpc
import ovs.poller
import ovs.stream

from nib.errors import NibUnavailable, SchemaMismatch
from nib.replica import split_remotes, tune
from nib.rows import DATABASE, packaged_version, version_tuple
from nib.tls_stream import complaint

INIT_REMEDY = "create it with `prewire db init`"
CONVERT_REMEDY = "convert it with `prewire db convert`"


def check_version(have: str) -> None:
    """Raise SchemaMismatch unless a database of schema version `have` suits this program."""
    want = packaged_version()
    ours, theirs = version_tuple(want), version_tuple(have)
    if theirs[0] == ours[0] and theirs[1] >= ours[1]:
        return
    remedy = CONVERT_REMEDY if theirs < ours else "use the prewire version that made it"
    raise SchemaMismatch(f"{DATABASE} schema {have}", f"schema {want}", remedy)


def check_remote(remote: str, timeout_s: float) -> str:
    """Raise SchemaMismatch when the server at `remote` has no suitable database.

    Keeps trying to connect until `timeout_s` is over, then raises NibUnavailable. Returns the one
    of several servers that answered.
    """
    deadline = time.monotonic() + timeout_s
    session = ovs.jsonrpc.Session.open_multiple(split_remotes(remote))
    tune(session)
    try:
        databases = _call(session, remote, deadline, "list_dbs", [])
        if DATABASE not in databases:
            others = ", ".join(name for name in databases if name != "_Server") or "none"
            raise SchemaMismatch(
                f"no database {DATABASE} (it serves: {others})",
                f"{DATABASE} schema {packaged_version()}",
                INIT_REMEDY,
            )
        schema = _call(session, remote, deadline, "get_schema", [DATABASE])
        check_version(str(schema["version"]))
        return str(session.get_name())
    finally:
        session.close()


def _call(session: Any, remote: str, deadline: float, method: str, params: list[str]) -> Any:
    """One JSON-RPC call, sent again whenever the connection was lost before the answer."""
    request, sent_on = None, -1
    while True:
        session.run()
        if session.is_connected() and session.get_seqno() != sent_on:
            request = ovs.jsonrpc.Message.create_request(method, params)
            if session.send(request) == 0:
                sent_on = session.get_seqno()
        reply = session.recv()
        if reply is not None and request is not None and reply.id == request.id:
            if reply.type == ovs.jsonrpc.Message.T_ERROR:
                raise NibUnavailable(remote, f"{method} failed: {reply.error}")
            return reply.result
        if time.monotonic() >= deadline:
            what = "connected but silent" if session.is_connected() else _last_failure(session)
            raise NibUnavailable(remote, f"no answer in time: {what}")
        poller = ovs.poller.Poller()
        session.wait(poller)
        session.recv_wait(poller)
        poller.timer_wait(max(1, int(1000 * (deadline - time.monotonic()))))
        poller.block()


def _last_failure(session: Any) -> str:
    if session.get_name().startswith("ssl:"):
        why = complaint(session.get_name())
        if why:
            return why
    error, stream = ovs.stream.Stream.open(session.get_name())
    if stream is not None:
        stream.close()
    return errno.errorcode.get(error, "cannot connect")
