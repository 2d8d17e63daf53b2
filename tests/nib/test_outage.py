"""The server stops, hangs, is replaced, or was never the right one."""

from __future__ import annotations

import json
import queue
import shutil
import subprocess
import sys
from collections.abc import Callable
from concurrent.futures import Future
from pathlib import Path

import pytest

from nib.database import Nib
from nib.errors import NibUnavailable, SchemaMismatch
from nib.flight import Committed
from nib.intent import Service
from nib.mirror import RowChange
from nib.records import Global
from nib.rows import packaged_schema
from nib.server import EmbeddedServer
from nib.watch import Batch
from tests.waiting import until

WAIT_S = 60.0
WEB = Service("web", "10.0.0.100", 80)
API = Service("api", "10.0.0.101", 80)


def make_database(path: Path, **changes: object) -> None:
    """A database file with the packaged schema, somewhat changed."""
    schema = path.with_suffix(".ovsschema")
    schema.write_text(json.dumps(packaged_schema() | changes), "utf-8")
    subprocess.run(["ovsdb-tool", "create", str(path), str(schema)], check=True)


def serve(path: Path) -> subprocess.Popen[bytes]:
    """A plain ovsdb-server on this file; EmbeddedServer would refuse it."""
    remote = f"--remote=punix:{path.parent}/s.sock"
    control = f"--unixctl={path.parent}/s.ctl"
    return subprocess.Popen(["ovsdb-server", str(path), remote, control, "-vconsole:off"])


def test_everything_survives_a_restart(server: EmbeddedServer, nib: Nib) -> None:
    web = nib.write(lambda draft: draft.put(WEB)).result(WAIT_S).value
    server.stop()
    server.start()
    again = nib.write(lambda draft: draft.put(API)).result(WAIT_S)
    assert again.generation == 2
    with nib.view() as mirror:
        assert mirror.need(Service, "web") == web


def test_rows_that_vanished_during_an_outage_are_told(
    server: EmbeddedServer, nib: Nib, open_nib: Callable[..., Nib]
) -> None:
    """The IDL clears its tables in silence when it reloads; watchers must hear of it anyway."""
    web = nib.write(lambda draft: draft.put(WEB)).result(WAIT_S).value
    saved = server.database.with_name("saved")
    shutil.copy(server.database, saved)
    api = nib.write(lambda draft: draft.put(API)).result(WAIT_S).value
    heard: queue.Queue[Batch] = queue.Queue()
    nib.watch(heard.put)
    heard.get(timeout=WAIT_S)
    server.stop()
    saved.rename(server.database)
    server.start()
    batch = heard.get(timeout=WAIT_S)
    assert [c for c in batch.changes if c.kind is not Global] == [RowChange(api, None)]
    with nib.view() as mirror:
        assert mirror.all(Service) == (web,)


def test_a_write_without_a_server_fails_in_time_and_says_why(
    server: EmbeddedServer, open_nib: Callable[..., Nib]
) -> None:
    nib = open_nib("impatient", write_timeout_s=1.0)
    server.stop()
    until(lambda: nib.connected, lambda connected: not connected, "the loss is noticed")
    with pytest.raises(NibUnavailable, match=r"not connected .* not written"):
        nib.write(lambda draft: draft.put(WEB)).result(WAIT_S)
    assert not nib.connected
    server.start()
    nib.when(lambda _: nib.connected).result(WAIT_S)
    patient = open_nib("patient")
    patient.write(lambda draft: draft.put(WEB)).result(WAIT_S)
    nib.when(lambda mirror: mirror.count(Service) == 1).result(WAIT_S)


def commit_on_a_frozen_server(server: EmbeddedServer, nib: Nib) -> Future[Committed[Service]]:
    """A write that was sent, and that nobody has taken."""

    def freeze(_: object) -> None:
        server.pause()

    nib.write(freeze).result(WAIT_S)
    write = nib.write(lambda draft: draft.put(WEB))
    for _ in range(2):  # one turn of the nib thread takes the write, the next begins after sending
        nib.when(lambda _: True).result(WAIT_S)
    return write


def test_a_server_killed_during_a_commit_leaves_the_outcome_unknown(
    server: EmbeddedServer, open_nib: Callable[..., Nib]
) -> None:
    nib = open_nib("impatient", write_timeout_s=1.0)
    write = commit_on_a_frozen_server(server, nib)
    server.kill()
    with pytest.raises(NibUnavailable, match=r"lost during a commit.*may or may not"):
        write.result(WAIT_S)
    server.start()
    nib.when(lambda _: nib.connected).result(WAIT_S)
    nib.write(lambda draft: draft.put(API)).result(WAIT_S)


def test_a_server_killed_during_a_commit_and_started_anew_has_it_once(
    server: EmbeddedServer, nib: Nib
) -> None:
    write = commit_on_a_frozen_server(server, nib)
    server.kill()
    server.start()
    web = write.result(WAIT_S).value
    with nib.view() as mirror:
        assert mirror.all(Service) == (web,)
        assert mirror.generation == web.generation == 1


def test_closing_during_a_commit_leaves_the_outcome_unknown(
    server: EmbeddedServer, nib: Nib
) -> None:
    write = commit_on_a_frozen_server(server, nib)
    server.kill()
    nib.when(lambda _: not nib.connected).result(WAIT_S)
    nib.close()
    with pytest.raises(NibUnavailable, match=r"closed.*may or may not"):
        write.result(WAIT_S)


def test_a_hung_server_does_not_hang_writers(
    server: EmbeddedServer, open_nib: Callable[..., Nib]
) -> None:
    nib = open_nib("impatient", write_timeout_s=1.0)
    server.pause()
    with pytest.raises(NibUnavailable, match=r"not answered in time.*may or may not"):
        nib.write(lambda draft: draft.put(WEB)).result(WAIT_S)
    with pytest.raises(NibUnavailable):
        nib.write(lambda draft: draft.put(API)).result(WAIT_S)
    server.resume()
    nib.when(lambda _: nib.connected).result(WAIT_S)
    open_nib("patient").write(lambda draft: draft.put(API)).result(WAIT_S)
    nib.when(lambda mirror: mirror.get(Service, "api") is not None).result(WAIT_S)


def test_closing_fails_what_waits(nib: Nib) -> None:
    waiting = nib.when(lambda _: False)
    nib.close()
    with pytest.raises(NibUnavailable, match="closed"):
        waiting.result(WAIT_S)


def test_no_server_at_all(state_dir: Path) -> None:
    with pytest.raises(NibUnavailable, match="ENOENT"):
        Nib(f"unix:{state_dir}/none.sock", "test").start(timeout_s=0.2)


@pytest.mark.parametrize(
    ("changes", "remedy"),
    [
        ({"name": "Other"}, "prewire db init"),
        ({"version": "2.0.0"}, "use the prewire version that made it"),
        ({"version": "0.9.0"}, "prewire db convert"),
    ],
)
def test_a_server_with_the_wrong_schema(
    state_dir: Path, changes: dict[str, object], remedy: str
) -> None:
    path = state_dir / "other.db"
    make_database(path, **changes)
    process = serve(path)
    try:
        with pytest.raises(SchemaMismatch, match=remedy):
            Nib(f"unix:{state_dir}/s.sock", "test").start()
    finally:
        process.terminate()
        process.wait()


def test_a_newer_minor_version_is_fine(state_dir: Path) -> None:
    schema = packaged_schema()
    schema["tables"]["Service"]["columns"]["colour"] = {"type": "string"}
    path = state_dir / "newer.db"
    make_database(path, version="1.7.0", tables=schema["tables"])
    process = serve(path)
    try:
        with Nib(f"unix:{state_dir}/s.sock", "test") as nib:
            nib.write(lambda draft: draft.put(WEB)).result(WAIT_S)
    finally:
        process.terminate()
        process.wait()


def test_a_row_no_record_may_hold_is_left_out(server: EmbeddedServer, nib: Nib) -> None:
    """Someone with ovsdb-client may write what we would not; it must not stop the others."""
    row = {"name": "Bad Name", "number": 9, "vip": "10.0.0.9", "port": 80, "protocol": "tcp"}
    insert = {"op": "insert", "table": "Service", "row": row}
    subprocess.run(
        ["ovsdb-client", "transact", server.remote, json.dumps(["Prewire", insert])],
        check=True,
        capture_output=True,
    )
    nib.write(lambda draft: draft.put(WEB)).result(WAIT_S)
    with nib.view() as mirror:
        assert [service.name for service in mirror.all(Service)] == ["web"]


UNDER_EVENTLET = """
import eventlet
eventlet.monkey_patch()
import sys
from nib.database import Nib
from nib.intent import Service
ticks = []
def tick():
    while True:
        ticks.append(1)
        eventlet.sleep(0.01)
eventlet.spawn(tick)
with Nib(sys.argv[1], "green") as nib:
    heard = []
    nib.watch(heard.append)
    done = nib.write(lambda draft: draft.put(Service("web", "10.0.0.100", 80))).result(60)
    nib.when(lambda mirror: mirror.count(Service) == 1).result(60)
    before = len(ticks)
    with eventlet.Timeout(8):  # a nib thread that blocks does so for five seconds at a time
        while len(ticks) < before + 4:
            eventlet.sleep(0.01)
    assert heard
    print(done.generation)
"""


def test_under_eventlet(server: EmbeddedServer) -> None:
    pytest.importorskip("eventlet")
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", UNDER_EVENTLET, server.remote],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (done.stdout.strip(), done.returncode) == ("1", 0), done.stderr
