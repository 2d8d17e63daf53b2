"""Three servers with one database: what survives when they die, and how members come and go."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from nib import dbfile, raft
from nib.cluster import ClusterServer, EmbeddedCluster
from nib.database import CLUSTER_WRITE_SECONDS, Nib
from nib.errors import FieldError, NibUnavailable, SchemaMismatch, ServerError
from nib.intent import Service
from nib.mirror import Mirror
from nib.records import RECORD_CLASSES, Global, Record
from nib.rows import packaged_schema, packaged_version
from nib.server import EmbeddedServer
from nib.watch import Batch
from prewire.processes import tied
from tests.nib.changes import put
from tests.nib.released import make_released
from tests.nib.writers import Writers
from tests.waiting import until

WAIT_S = 60.0
WEB = Service("web", "10.0.0.100", 80)
API = Service("api", "10.0.0.101", 80)


@pytest.fixture
def cluster(state_dir: Path) -> Iterator[EmbeddedCluster]:
    with EmbeddedCluster(state_dir, tied()) as running:
        yield running


@pytest.fixture
def open_nib(cluster: EmbeddedCluster) -> Iterator[Callable[..., Nib]]:
    """Makes started clients of the cluster, and closes them after the test."""
    with ExitStack() as stack:
        yield lambda name="test": stack.enter_context(Nib(cluster.remote, name))


@pytest.fixture
def nib(open_nib: Callable[..., Nib]) -> Nib:
    return open_nib()


def die(server: ClusterServer) -> None:
    server.kill()


def hang(server: ClusterServer) -> None:
    server.pause()


def end(server: ClusterServer) -> None:
    server.stop()


def everything(nib: Nib) -> dict[type[Record], set[Any]]:
    with nib.view() as mirror:
        return {kind: set(mirror.all(kind)) for kind in RECORD_CLASSES}


class Follower:
    """A mirror kept by a watch alone."""

    def __init__(self, nib: Nib) -> None:
        self.mirror = Mirror()
        self.batches = 0
        nib.watch(self.take)

    def take(self, batch: Batch) -> None:
        for change in batch.changes:
            assert self.mirror.get(change.kind, change.record.key) == change.old
            self.mirror.apply(change)
        self.batches += 1

    def everything(self) -> dict[type[Record], set[Any]]:
        return {kind: set(self.mirror.all(kind)) for kind in RECORD_CLASSES}


# ------------------------------------------------------------------------------------ failover


@pytest.mark.parametrize("fault", [die, hang, end])
def test_writers_go_on_when_the_leader_fails(
    cluster: EmbeddedCluster, open_nib: Callable[..., Nib], fault: Callable[[ClusterServer], None]
) -> None:
    """Nobody is told that a write failed, none that was acknowledged is lost, none is made twice,
    and watchers hear of all."""
    nibs = [open_nib(f"writer-{number}") for number in range(2)]
    follower = Follower(nibs[0])
    with Writers(nibs, threads=4) as writers:
        writers.wait_for(100)
        leader = cluster.leader()
        failed_at = time.monotonic()
        fault(leader)
        cluster.leader()
        writers.wait_for(100)
    gap = writers.longest_gap(failed_at)
    sys.stdout.write(f"\n{fault.__name__}: nothing was written for {gap:.2f} s\n")
    assert writers.failures == []
    with open_nib("check") as check:
        kept = everything(check)
    assert {service.name for service in kept[Service]} == writers.acknowledged
    for each in nibs:
        each.when(lambda mirror: mirror.count(Service) == len(kept[Service])).result(WAIT_S)
        assert everything(each) == kept
    assert follower.everything() == kept
    assert nibs[0].callback_failures == 0
    assert gap < CLUSTER_WRITE_SECONDS


def test_a_member_that_comes_back_has_what_it_missed(cluster: EmbeddedCluster, nib: Nib) -> None:
    lost = cluster.leader()
    lost.kill()
    nib.write(put(WEB)).result(WAIT_S)
    lost.start()
    lost.wait_connected()
    cluster.followers()[0].kill()  # or the leader: whoever is left must have it
    with Nib(cluster.remote, "check") as check:
        assert everything(check)[Service] == everything(nib)[Service] != set()


def test_without_a_majority_writes_fail_in_time_and_then_go_on(
    cluster: EmbeddedCluster, nib: Nib
) -> None:
    first, second = cluster.leader(), cluster.followers()[0]
    with Nib(cluster.remote, "impatient", write_timeout_s=2.0) as impatient:
        first.kill()
        second.kill()
        with pytest.raises(NibUnavailable, match="not written"):
            impatient.write(put(WEB)).result(WAIT_S)
    second.start()
    nib.when(lambda _: nib.connected).result(WAIT_S)
    assert nib.write(put(API)).result(WAIT_S).generation == 1
    assert {service.name for service in everything(nib)[Service]} == {"api"}


def test_what_was_acknowledged_survives_the_death_of_all(
    cluster: EmbeddedCluster, nib: Nib
) -> None:
    nib.write(put(WEB, API)).result(WAIT_S)
    before = everything(nib)
    for server in cluster.servers:
        server.kill()
    cluster.start()
    with Nib(cluster.remote, "check") as check:
        assert everything(check) == before
    nib.when(lambda _: nib.connected).result(WAIT_S)
    nib.write(lambda draft: draft.delete(Service, "web")).result(WAIT_S)


def test_a_follower_may_die_unnoticed(cluster: EmbeddedCluster, nib: Nib) -> None:
    with Writers([nib], threads=2) as writers:
        writers.wait_for(20)
        cluster.followers()[0].kill()
        writers.wait_for(50)
    assert writers.failures == []


def test_a_hung_leader_that_wakes_up_changes_nothing(cluster: EmbeddedCluster, nib: Nib) -> None:
    """What it took from a client before it hung, and did not answer, it may not make any more."""
    leader = cluster.leader()
    leader.pause()
    write = nib.write(put(WEB))
    assert write.result(WAIT_S).generation == 1
    nib.write(lambda draft: draft.delete(Service, "web")).result(WAIT_S)
    leader.resume()
    until(leader.status, lambda status: status.role == "follower", "it follows")
    nib.write(put(API)).result(WAIT_S)
    with Nib(cluster.remote, "check") as check:
        assert {service.name for service in everything(check)[Service]} == {"api"}


# ------------------------------------------------------------------------------------- members


def test_status_tells_roles_and_members(cluster: EmbeddedCluster) -> None:
    leader = cluster.leader()
    told = leader.status()
    assert (told.state, told.role, told.leader, told.leads) == (
        "cluster member", "leader", "self", True,
    )  # fmt: skip
    assert told.election_timer_ms == 1000
    assert told.address == leader.address
    assert {member.address for member in told.members} == {s.address for s in cluster.servers}
    assert [member.id for member in told.members if member.here] == [told.id]
    for member in told.members:
        assert member.here or member.heard_ms is not None
    others = [server.status() for server in cluster.followers()]
    assert {(each.role, each.term, each.leader) for each in others} == {
        ("follower", told.term, leader.name)
    }


def test_a_member_leaves_and_another_takes_its_place(
    cluster: EmbeddedCluster, nib: Nib, state_dir: Path
) -> None:
    nib.write(put(WEB)).result(WAIT_S)
    leaving = cluster.leader()
    raft.leave(leaving.files.control)
    until(lambda: raft.has_left(leaving.files.control), bool, "it has left")
    leaving.stop()
    staying = [server for server in cluster.servers if server is not leaving]
    new = ClusterServer(state_dir / "4", "server-4", tied())
    raft.join(new.files.database, new.address, [server.address for server in staying])
    new.start()
    try:
        new.wait_connected()
        assert len(new.status().members) == 3
        nib.write(put(API)).result(WAIT_S)
        staying[0].kill()
        remote = f"{new.remote},{staying[1].remote}"
        with Nib(remote, "check") as check:
            assert {service.name for service in everything(check)[Service]} == {"web", "api"}
    finally:
        new.stop()


def test_a_member_that_is_lost_is_removed(cluster: EmbeddedCluster) -> None:
    lost = cluster.followers()[0]
    identity = lost.status().id
    lost.kill()
    control = cluster.leader().files.control
    raft.remove(control, identity)
    until(lambda: raft.status(control).members, lambda members: len(members) == 2, "removed")
    with pytest.raises(ServerError, match="unknown server"):
        raft.remove(control, "ffff")


# --------------------------------------------------------------------------- files and versions


def test_a_database_that_stood_alone_becomes_a_cluster(state_dir: Path) -> None:
    with EmbeddedServer(state_dir / "alone") as alone, Nib(alone.remote, "test") as nib:
        nib.write(put(WEB)).result(WAIT_S)
        before = everything(nib)
    cluster = EmbeddedCluster(state_dir, tied())
    first = cluster.servers[0]
    raft.create(first.files.database, first.address, alone.database)
    with cluster, Nib(cluster.remote, "test") as nib:
        assert everything(nib) == before


def test_a_backup_begins_a_new_cluster(cluster: EmbeddedCluster, nib: Nib, state_dir: Path) -> None:
    nib.write(put(WEB)).result(WAIT_S)
    before = everything(nib)
    copy = state_dir / "copy.db"
    dbfile.backup(cluster.remote, copy)
    again = EmbeddedCluster(state_dir / "again", tied())
    raft.create(again.servers[0].files.database, again.servers[0].address, copy)
    with again, Nib(again.remote, "test") as restored:
        assert everything(restored) == before


def test_clients_follow_to_a_cluster_that_is_begun_anew(
    cluster: EmbeddedCluster, nib: Nib, state_dir: Path
) -> None:
    """Its log begins anew too, which must not be taken for an old state of the same cluster."""
    for number in range(20):
        nib.write(put(replace(WEB, port=80 + number))).result(WAIT_S)
    copy = state_dir / "copy.db"
    dbfile.backup(cluster.remote, copy)
    nib.write(put(API)).result(WAIT_S)
    follower = Follower(nib)
    cluster.close()
    for server in cluster.servers:
        server.files.database.unlink()
    first = cluster.servers[0]
    raft.create(first.files.database, first.address, copy)
    cluster.start()
    nib.when(lambda mirror: nib.connected and mirror.count(Service) == 1).result(WAIT_S)
    nib.write(put(replace(WEB, port=99))).result(WAIT_S)
    with Nib(cluster.remote, "check") as check:
        assert everything(check) == everything(nib) == follower.everything()


def test_the_file_of_the_last_member_begins_a_new_cluster(
    cluster: EmbeddedCluster, nib: Nib, state_dir: Path
) -> None:
    """When most of the others are lost for ever."""
    nib.write(put(WEB)).result(WAIT_S)
    before = everything(nib)
    survivor = cluster.followers()[0]
    until(lambda: survivor.status().uncommitted, lambda count: count == 0, "it has everything")
    cluster.close()
    again = EmbeddedCluster(state_dir / "again", tied())
    raft.create(again.servers[0].files.database, again.servers[0].address, survivor.files.database)
    with again, Nib(again.remote, "test") as restored:
        assert everything(restored) == before


def test_a_running_cluster_is_converted_and_its_clients_stay(
    state_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A newer minor version only adds: programs of this one go on, with all they know."""
    with EmbeddedCluster(state_dir, tied()) as cluster, Nib(cluster.remote, "old") as old:
        old.write(put(WEB)).result(WAIT_S)
        follower = Follower(old)
        newer = packaged_schema() | {"version": "1.999.0"}
        newer["tables"]["Service"]["columns"]["colour"] = {"type": "string"}
        schema = state_dir / "newer.ovsschema"
        schema.write_text(json.dumps(newer), "utf-8")
        monkeypatch.setattr(dbfile, "schema_path", lambda: schema)
        monkeypatch.setattr(dbfile, "packaged_version", lambda: "1.999.0")
        done = dbfile.convert_served(cluster.remote)
        assert done == dbfile.Conversion(packaged_version(), "1.999.0", None)
        old.write(put(API)).result(WAIT_S)
        with Nib(cluster.remote, "new") as new:
            assert everything(new) == everything(old) == follower.everything()
        assert dbfile.served_version(cluster.remote) == "1.999.0"
        monkeypatch.undo()
        with pytest.raises(SchemaMismatch, match="lose columns"):
            dbfile.convert_served(cluster.remote)


def test_a_cluster_of_an_older_version_is_converted(state_dir: Path) -> None:
    older = state_dir / "older.db"
    make_released(older, "1.1.0", [("Global", {"generation": 5, "next_number": 9})])
    cluster = EmbeddedCluster(state_dir, tied())
    first = cluster.servers[0]
    first.files.directory.mkdir()
    address = ["create-cluster", str(first.files.database), str(older), first.address]
    subprocess.run(["ovsdb-tool", *address], check=True)
    with cluster:
        with pytest.raises(SchemaMismatch, match="prewire db convert"):
            Nib(cluster.remote, "test").start()
        assert dbfile.convert_served(cluster.remote).old == "1.1.0"
        with Nib(cluster.remote, "test") as nib, nib.view() as mirror:
            counted = mirror.need(Global, ())
        assert (counted.generation, counted.next_number) == (5, 9)
        assert counted.database != ""


def test_files_that_are_refused(state_dir: Path) -> None:
    path = state_dir / "nib.db"
    raft.create(path, "tcp:127.0.0.1:16644")
    assert dbfile.is_clustered(path)
    for make in (raft.create, lambda path, own: raft.join(path, own, ["tcp:127.0.0.1:16645"])):
        with pytest.raises(ServerError, match="exists already"):
            make(path, "tcp:127.0.0.1:16644")
    with pytest.raises(ServerError, match="prewire db serve"):
        EmbeddedServer(state_dir).start()
    for use in (dbfile.convert, dbfile.schema_version):
        with pytest.raises(ServerError, match="member of a cluster"):
            use(path)
    with pytest.raises(ServerError, match="does not exist"):
        raft.create(state_dir / "new.db", "tcp:127.0.0.1:16644", state_dir / "none.db")
    with pytest.raises(FieldError, match="this server's own"):
        raft.join(state_dir / "new.db", "tcp:127.0.0.1:1", ["tcp:127.0.0.1:1"])
    alone = state_dir / "alone.db"
    make_released(alone, "1.1.0")
    with pytest.raises(SchemaMismatch, match="prewire db convert"):
        raft.create(state_dir / "new.db", "tcp:127.0.0.1:16644", alone)
    assert not (state_dir / "new.db").exists()


def test_a_server_that_stands_alone_has_no_cluster(server: EmbeddedServer) -> None:
    with pytest.raises(raft.NoMember, match="belongs to no cluster"):
        raft.status(server.files.control)
    new = server.state_dir / "new.db"
    with pytest.raises(ServerError, match="in use"):
        raft.create(new, "tcp:127.0.0.1:16644", server.database)
    assert not new.exists()
    server.stop()
    with pytest.raises(ServerError, match="no server runs here"):
        raft.status(server.files.control)
