"""The embedded server, and database files."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from nib.access import Token
from nib.database import Nib
from nib.dbfile import backup, convert, init, schema_version
from nib.errors import NibError, SchemaMismatch, ServerError
from nib.events import Event, event_id
from nib.intent import Container, Service
from nib.mirror import Mirror
from nib.observed import Connections
from nib.plans import ContainerPlan, Shard
from nib.prewarm import Scaling
from nib.qos import Policy
from nib.records import Global, Leader, SlotTable
from nib.rows import packaged_schema, packaged_version, schema_path
from nib.server import EmbeddedServer
from tests.nib.released import Rows, make_database, make_released

WAIT_S = 60.0
WEB = Service("web", "10.0.0.100", 80)


def make_older(path: Path) -> None:
    """A database of version 0.9.0, which lacks a column, with one service in it."""
    schema = packaged_schema() | {"version": "0.9.0"}
    del schema["tables"]["Service"]["columns"]["generation"]
    old = path.with_suffix(".old")
    old.write_text(json.dumps(schema), "utf-8")
    make_database(path, old, [("Service", SERVICE_ROW | {"number": 7})])


SERVICE_ROW = {"name": "web", "vip": "10.0.0.100", "port": 80, "protocol": "tcp"}
CONTAINER_ROW = {
    "id": "c1", "address": "10.0.0.1", "port": 8080, "mac": "0a:00:00:00:00:01",
    "state": "ready", "service": ["named-uuid", "web"],
}  # fmt: skip
PLACE = {"switch": "00000000000000a1", "switch_port": "s1-eth1"}


def make_1_0_0(path: Path) -> None:
    """A database as prewire made it before load balancing had policies, with rows in it."""
    drains = {"id": "c2", "state": "draining", "drain_until_ms": 2**41, "iface_id": "pod-2"}
    rows: Rows = [
        ("Global", {"generation": 5, "next_number": 9}),
        ("Service", SERVICE_ROW | {"number": 7, "generation": 4}),
        ("Container", CONTAINER_ROW | PLACE | {"number": 8, "generation": 5}),
        ("Container", CONTAINER_ROW | drains | {"number": 3, "generation": 5}),
        ("Slot_Table", {"service": "web", "slots": " ".join(["8"] * 64)}),
    ]
    make_released(path, "1.0.0", rows)


def make_1_1_0(path: Path) -> None:
    """A database as prewire made it before there were several switches, with rows in it."""
    about = {"service": "web", "container": "c1"}
    rows: Rows = [
        ("Global", {"generation": 5, "next_number": 9}),
        ("Service", SERVICE_ROW | {"number": 7, "generation": 4, "policy": "least_inflight"}),
        ("Container", CONTAINER_ROW | PLACE | {"number": 8, "generation": 5, "weight": 3}),
        ("Connections", about | {"open": 5, "at_ms": 2**41}),
        ("Leader", {"epoch": 7, "controller": "one"}),
    ]
    make_released(path, "1.1.0", rows)


def make_1_2_0(path: Path) -> None:
    """A database as prewire made it before there were policies."""
    rows: Rows = [
        ("Global", {"generation": 5, "next_number": 9, "database": "0a1b2c3d"}),
        ("Service", SERVICE_ROW | {"number": 7, "generation": 4, "locality": "prefer"}),
    ]
    make_released(path, "1.2.0", rows)


def make_1_3_0(path: Path) -> None:
    """A database as prewire made it before there were plans."""
    rows: Rows = [
        ("Global", {"generation": 5, "next_number": 9, "database": "0a1b2c3d"}),
        ("Service", SERVICE_ROW | {"number": 7, "generation": 4}),
        (
            "Policy",
            {"name": "limit", "destination": "web", "number": 1, "burst_ms": 1000}
            | {"qos_class": "default"},
        ),
    ]
    make_released(path, "1.3.0", rows)


def make_1_4_0(path: Path) -> None:
    """A database as prewire made it before there were tokens and events."""
    rows: Rows = [
        ("Global", {"generation": 5, "next_number": 9, "database": "0a1b2c3d"}),
        ("Service", SERVICE_ROW | {"number": 7, "generation": 4}),
        ("Shard", {"number": 3, "holder": "one", "epoch": 1}),
    ]
    make_released(path, "1.4.0", rows)


def make_1_5_0(path: Path) -> None:
    """A database as prewire made it before services had switches."""
    rows: Rows = [
        ("Global", {"generation": 5, "next_number": 9, "database": "0a1b2c3d"}),
        ("Service", SERVICE_ROW | {"number": 7, "generation": 4}),
    ]
    make_released(path, "1.5.0", rows)


@contextmanager
def contents(state_dir: Path) -> Iterator[Mirror]:
    """What is in the database of this directory."""
    with (
        EmbeddedServer(state_dir) as server,
        Nib(server.remote, "test") as nib,
        nib.view() as mirror,
    ):
        yield mirror


def services_in(state_dir: Path) -> list[str]:
    with contents(state_dir) as mirror:
        return sorted(service.name for service in mirror.all(Service))


def test_the_schema_checksum_is_right() -> None:
    """By OVS's rule: cksum(1) of the file without the line that holds it."""
    lines = schema_path().read_bytes().splitlines(keepends=True)
    bare = b"".join(line for line in lines if b"cksum" not in line)
    done = subprocess.run(["cksum"], input=bare, capture_output=True, check=True)
    assert packaged_schema()["cksum"] == done.stdout.decode().strip()


def test_start_stop_start(state_dir: Path) -> None:
    server = EmbeddedServer(state_dir)
    server.start()
    assert server.pid is not None
    server.stop()
    assert not server.socket.exists()
    server.start()
    server.stop()
    server.stop()
    assert server.files.log.exists()


def test_a_second_server_is_refused(server: EmbeddedServer, state_dir: Path) -> None:
    with pytest.raises(ServerError, match=f"process {server.pid}"):
        EmbeddedServer(state_dir).start()


def test_a_server_without_its_socket_still_holds_the_database(
    server: EmbeddedServer, state_dir: Path
) -> None:
    server.socket.unlink()
    with pytest.raises(ServerError, match="in use by a running ovsdb-server"):
        EmbeddedServer(state_dir).start()


def test_traces_of_a_killed_server_are_cleared(server: EmbeddedServer, state_dir: Path) -> None:
    assert server.process is not None
    server.process.kill()
    server.process.wait()
    assert server.socket.exists()
    assert services_in(state_dir) == []


def test_a_socket_path_too_long_names_the_directory(tmp_path: Path) -> None:
    deep = tmp_path / ("d" * 100)
    with pytest.raises(ServerError, match="107") as caught:
        EmbeddedServer(deep)
    assert str(deep) in caught.value.remedy


def test_a_server_that_cannot_start_says_why(state_dir: Path) -> None:
    (state_dir / "nib.log").mkdir()
    with pytest.raises(ServerError, match=r"ended at once: .*nib\.log.*Is a directory"):
        EmbeddedServer(state_dir).start()


def test_missing_tools_name_their_package(state_dir: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(state_dir))
    with pytest.raises(NibError, match="openvswitch-switch"):
        EmbeddedServer(state_dir).start()
    with pytest.raises(NibError, match="openvswitch-common"):
        init(state_dir / "new.db")


def test_init_makes_an_empty_database_once(state_dir: Path) -> None:
    path = state_dir / "nib.db"
    init(path)
    assert schema_version(path) == packaged_version()
    with pytest.raises(ServerError, match="exists already"):
        init(path)


def test_an_older_database_is_refused_then_converted(state_dir: Path) -> None:
    path = state_dir / "nib.db"
    make_older(path)
    with pytest.raises(SchemaMismatch, match="prewire db convert"):
        EmbeddedServer(state_dir).start()
    done = convert(path)
    assert (done.old, done.new) == ("0.9.0", packaged_version())
    assert done.backup is not None
    assert schema_version(done.backup) == "0.9.0"
    assert services_in(state_dir) == ["web"]


def test_rows_of_version_1_0_0_keep_their_meaning(state_dir: Path) -> None:
    """What a later version added reads as its default, and may be changed."""
    path = state_dir / "nib.db"
    make_1_0_0(path)
    assert convert(path).old == "1.0.0"
    with EmbeddedServer(state_dir) as server, Nib(server.remote, "test") as nib:
        with nib.view() as mirror:
            assert mirror.generation == 5
            assert mirror.all(Service) == (replace(WEB, number=7, generation=4),)
            containers = {each.id: each for each in mirror.containers_of("web")}
            assert mirror.need(SlotTable, "web").slots == (8,) * 64
        mac, dpid = "0a:00:00:00:00:01", "00000000000000a1"
        first = Container("web", "c1", "10.0.0.1", 8080, mac, dpid, "s1-eth1")
        assert containers["c1"] == replace(first, number=8, generation=5)
        assert (containers["c1"].weight, containers["c1"].since_ms) == (1, 0)
        assert containers["c2"].drain_until_ms == 2**41
        assert containers["c2"].iface_id == "pod-2"
        changed = replace(WEB, policy="least_inflight", mode="stateless", on_empty="hold")
        nib.write(lambda draft: draft.put(changed)).result(WAIT_S)
        nib.write(lambda draft: draft.put(replace(first, weight=0))).result(WAIT_S)
        with Nib(server.remote, "other") as other, other.view() as mirror:
            assert mirror.need(Service, "web") == replace(changed, number=7, generation=6)
            assert mirror.need(Container, ("web", "c1")).weight == 0


def test_rows_of_version_1_1_0_keep_their_meaning(state_dir: Path) -> None:
    path = state_dir / "nib.db"
    make_1_1_0(path)
    assert convert(path).old == "1.1.0"
    with EmbeddedServer(state_dir) as server, Nib(server.remote, "test") as nib:
        with nib.view() as mirror:
            web = mirror.need(Service, "web")
            assert web == replace(WEB, number=7, generation=4, policy="least_inflight")
            assert web.locality == "none"
            assert mirror.all(Connections) == (Connections("web", "c1", 5, 2**41, ""),)
            assert mirror.all(Leader) == (Leader(7, "one", beat=0),)
        counted = Connections("web", "c1", 6, 2**41, "00000000000000a1")
        nib.write(lambda draft: draft.put(counted)).result(WAIT_S)
        nib.write(lambda draft: draft.put(replace(WEB, locality="prefer"))).result(WAIT_S)
        nib.write(lambda draft: draft.put(Leader(8, "two", 1))).result(WAIT_S)
        with Nib(server.remote, "other") as other, other.view() as mirror:
            assert mirror.need(Service, "web").locality == "prefer"
            assert {count.open for count in mirror.connections_of("web", "c1")} == {5, 6}
            assert mirror.all(Leader) == (Leader(8, "two", 1),)


def test_a_database_of_version_1_5_0_takes_a_service_s_switches(state_dir: Path) -> None:
    path = state_dir / "nib.db"
    make_1_5_0(path)
    assert convert(path).old == "1.5.0"
    named = ("00000000000000a1", "00000000000000a2")
    with EmbeddedServer(state_dir) as server, Nib(server.remote, "test") as nib:
        with nib.view() as mirror:
            assert mirror.need(Service, "web").switches == ()
        nib.write(lambda draft: draft.put(replace(WEB, switches=named))).result(WAIT_S)
        with Nib(server.remote, "other") as other, other.view() as mirror:
            assert mirror.need(Service, "web").switches == named


def test_a_database_of_version_1_2_0_takes_policies(state_dir: Path) -> None:
    path = state_dir / "nib.db"
    make_1_2_0(path)
    assert convert(path).old == "1.2.0"
    with EmbeddedServer(state_dir) as server, Nib(server.remote, "test") as nib:
        nib.write(lambda draft: draft.put(Policy("limit", None, "web"))).result(WAIT_S)
        with nib.view() as mirror:
            assert mirror.need(Global, ()).database == "0a1b2c3d"
            assert mirror.need(Service, "web").locality == "prefer"
            assert mirror.need(Policy, "limit").number == 1


def test_a_database_of_version_1_3_0_takes_plans(state_dir: Path) -> None:
    path = state_dir / "nib.db"
    make_1_3_0(path)
    assert convert(path).old == "1.3.0"
    plan = ContainerPlan("web", 3, 0, 2**41, "forecast")
    with EmbeddedServer(state_dir) as server, Nib(server.remote, "test") as nib:
        nib.write(lambda draft: draft.put(Scaling("web"))).result(WAIT_S)
        nib.write(lambda draft: draft.put(plan)).result(WAIT_S)
        with nib.view() as mirror:
            assert mirror.need(Policy, "limit").destination == "web"
            assert mirror.need(ContainerPlan, "web") == plan


def test_a_database_of_version_1_4_0_takes_tokens_and_events(state_dir: Path) -> None:
    path = state_dir / "nib.db"
    make_1_4_0(path)
    assert convert(path).old == "1.4.0"
    token = Token("ci", "registrar", "0" * 64, frozenset({"web"}))
    event = Event(event_id(2**40), 2**40, "service", "web", "created")
    with (
        EmbeddedServer(state_dir) as server,
        Nib(server.remote, "test", sees_tokens=True) as nib,
        Nib(server.remote, "other") as other,
    ):
        nib.write(lambda draft: (draft.put(token), draft.put(event))).result(WAIT_S)
        with nib.view() as mirror:
            assert mirror.need(Shard, "3").holder == "one"
            assert (mirror.all(Token), mirror.all(Event)) == ((token,), (event,))
        other.when(lambda mirror: mirror.count(Event) == 1).result(WAIT_S)
        with other.view() as mirror:
            assert mirror.count(Token) == 0, "no secret's hash where none is checked"


@pytest.mark.parametrize(
    "make", [make_1_0_0, make_1_1_0, make_1_2_0, make_1_3_0, make_1_4_0, make_1_5_0]
)
def test_an_upgraded_database_gets_a_name_that_it_keeps(
    state_dir: Path, make: Callable[[Path], None]
) -> None:
    """What tells it from another database, in which the same generations mean other things."""
    path = state_dir / "nib.db"
    make(path)
    convert(path)
    seen = []
    for _ in range(2):
        with contents(state_dir) as mirror:
            seen.append(mirror.need(Global, ()))
    assert seen[0] == seen[1]
    assert (seen[0].generation, seen[0].next_number) == (5, 9)
    assert len(seen[0].database) == 8


def test_databases_have_different_names(state_dir: Path) -> None:
    names = set()
    for place in ("a", "b"):
        with contents(state_dir / place) as mirror:
            names.add(mirror.need(Global, ()).database)
    assert len(names) == 2


def test_backups_never_overwrite_each_other(state_dir: Path) -> None:
    path = state_dir / "nib.db"
    init(path)
    copies = {convert(path).backup, convert(path).backup}
    assert len(copies) == 2
    assert convert(path, backup=False).backup is None


def test_a_newer_database_is_not_converted_back(state_dir: Path) -> None:
    schema = state_dir / "newer.ovsschema"
    schema.write_text(json.dumps(packaged_schema() | {"version": "999.0.0"}), "utf-8")
    path = state_dir / "nib.db"
    subprocess.run(["ovsdb-tool", "create", str(path), str(schema)], check=True)
    with pytest.raises(SchemaMismatch, match="lose columns"):
        convert(path)


def test_files_in_use_are_left_alone(server: EmbeddedServer, state_dir: Path) -> None:
    with pytest.raises(ServerError, match="in use"):
        convert(server.database)
    with pytest.raises(ServerError, match="in use"):
        backup(server.database, state_dir / "copy.db")
    assert list(state_dir.glob("*.backup*")) == []


def test_backup_online_and_offline(server: EmbeddedServer, nib: Nib, state_dir: Path) -> None:
    nib.write(lambda draft: draft.put(WEB)).result(WAIT_S)
    online, offline = state_dir / "a" / "nib.db", state_dir / "b" / "nib.db"
    for target in (online, offline):
        target.parent.mkdir()
    backup(server.remote, online)
    server.stop()
    backup(server.database, offline)
    assert services_in(online.parent) == services_in(offline.parent) == ["web"]
    with pytest.raises(ServerError, match="exists already"):
        backup(server.database, offline)


def test_a_file_of_something_else_is_refused(state_dir: Path) -> None:
    with pytest.raises(ServerError, match="does not exist"):
        schema_version(state_dir / "none.db")
    (state_dir / "text.db").write_text("hello")
    with pytest.raises(ServerError, match="ovsdb-tool failed"):
        schema_version(state_dir / "text.db")
