"""`prewire db cluster` and `prewire db serve`: a cluster as an operator makes it, over TCP."""

from __future__ import annotations

import json
import os
import re
import signal
import threading
from collections.abc import Iterator
from contextlib import ExitStack, suppress
from dataclasses import dataclass, replace
from functools import partial
from itertools import count
from operator import methodcaller
from pathlib import Path

import httpx
import pytest

from nib import dbfile, raft
from nib.database import Nib
from nib.errors import NibError
from nib.intent import Service
from nib.raft import ClusterStatus
from nib.rows import packaged_version
from nib.serving import ServerFiles, is_answering
from prewire import processes
from prewire.processes import Child
from prewire.settings import load
from tests.commands import Finished, environment, one_line, run_here
from tests.disk import fill, free, small_disks
from tests.places import free_ports, short_directory
from tests.waiting import until

SERVERS = (1, 2, 3)
WEB = Service("web", "10.0.0.100", 80)


@dataclass
class Served:
    """Three servers of 127.0.0.1, each a `prewire db serve` in a directory of its own."""

    directory: Path
    ports: dict[str, int]
    children: dict[int, Child]

    @property
    def remote(self) -> str:
        return ",".join(self.remote_of(number) for number in self.members)

    @property
    def members(self) -> list[int]:
        return [number for number in SERVERS if f"db{number}" in self.ports]

    def remote_of(self, number: int) -> str:
        return f"tcp:127.0.0.1:{self.ports[f'db{number}']}"

    def address(self, number: int) -> str:
        return f"tcp:127.0.0.1:{self.ports[f'raft{number}']}"

    def files(self, number: int) -> ServerFiles:
        return ServerFiles(self.directory / str(number))

    def db(self, number: int, *arguments: object) -> Finished:
        words = [str(each) for each in arguments]
        env = {"PREWIRE_STATE_DIR": str(self.files(number).directory), "PREWIRE_NIB": self.remote}
        return run_here("db", *words, env=env)

    def serve(self, number: int) -> None:
        listen = f"ptcp:{self.ports[f'db{number}']}:127.0.0.1"
        env = environment({"PREWIRE_STATE_DIR": str(self.files(number).directory)})
        with (self.directory / f"{number}.log").open("ab") as log:
            child = processes.start("nib", ["db", "serve", "--listen", listen], env, log)
        self.children[number] = child
        until(lambda: is_answering(self.files(number).socket), bool, f"{number} answers")

    def status(self, number: int) -> ClusterStatus:
        return raft.status(self.files(number).control)

    def leader(self) -> int:
        def look() -> list[int]:
            lived = [n for n, child in self.children.items() if child.process.poll() is None]
            return [n for n in lived if self.status(n).leads]

        return until(look, bool, "a leader")[0]

    def kill(self, number: int) -> None:
        child = self.children.pop(number)
        os.kill(child.process.pid, signal.SIGKILL)
        child.process.wait()


def done(finished: Finished) -> str:
    assert (finished.returncode, finished.stderr) == (0, ""), finished
    return finished.stdout


@pytest.fixture(scope="module")
def running() -> Iterator[Served]:
    names = [f"{what}{number}" for what in ("db", "raft") for number in SERVERS]
    with short_directory() as directory:
        served = Served(directory, free_ports(*names), {})
        try:
            first, *others = SERVERS
            create = ("cluster", "create", served.address(first))
            assert "prewire db serve" in done(served.db(first, *create))
            served.serve(first)
            for number in others:
                join = ("cluster", "join", served.address(number), served.address(first))
                assert "prewire db serve" in done(served.db(number, *join))
                served.serve(number)
            yield served
        finally:
            processes.stop(list(served.children.values()))


@pytest.fixture
def served(running: Served) -> Served:
    """All three, whatever a test did to them before."""
    for number in SERVERS:
        if number not in running.children:
            running.serve(number)
    until(
        lambda: [len(running.status(n).members) for n in SERVERS],
        lambda seen: seen == [3, 3, 3],
        "three members",
    )
    return running


def test_clients_of_the_rest_server_do_not_notice_a_failover(served: Served) -> None:
    """kill -9 of the leading database server, while services are put: every answer is a success,
    and what was answered is there."""
    settings = load(state_dir=served.directory, nib=served.remote, **free_ports("api_port"))
    answers: list[tuple[str, int]] = []
    ending = threading.Event()

    def put_services(thread: int) -> None:
        with httpx.Client(base_url=settings.api_url, timeout=60) as http:
            for number in count():
                if ending.is_set():
                    return
                name, vip = f"w{thread}-{number}", f"10.{thread}.{number // 250}.{number % 250 + 1}"
                put = http.put(f"/v1/services/{name}", json={"vip": vip, "port": 80})
                answers.append((name, put.status_code))

    with ExitStack() as stack:
        log = stack.enter_context((served.directory / "api.log").open("wb"))
        child = processes.start("api", ["api"], environment(settings.environment), log)
        stack.callback(processes.stop, [child])
        http = stack.enter_context(httpx.Client(base_url=settings.api_url, timeout=60))
        until(partial(is_up, http), bool, "the REST server answers")
        threads = [threading.Thread(target=put_services, args=(each,)) for each in range(3)]
        for thread in threads:
            thread.start()
        try:
            until(lambda: len(answers), lambda seen: seen > 50, "services are put")
            served.kill(served.leader())
            before = len(answers)
            until(lambda: len(answers) - before, lambda more: more > 50, "more services are put")
        finally:
            ending.set()
            for thread in threads:
                thread.join()
    assert {status for _, status in answers} == {201}
    with Nib(served.remote, "check") as nib, nib.view() as mirror:
        assert {service.name for service in mirror.all(Service)} >= {name for name, _ in answers}


def is_up(http: httpx.Client) -> bool:
    try:
        return http.get("/v1/status").is_success
    except httpx.TransportError:
        return False


def test_status_backup_and_convert(served: Served) -> None:
    with Nib(served.remote, "test") as nib:
        nib.write(lambda draft: draft.put(WEB)).result(60)
    leader = served.leader()
    shown = done(served.db(leader, "cluster", "status")).splitlines()
    assert shown[0].endswith("cluster member, leader")
    assert " ".join(shown[2].split()) == "SERVER ADDRESS HERE HAS LOG TO HEARD MS AGO"
    assert len(shown) == 6
    told = json.loads(done(served.db(leader, "cluster", "status", "-o", "json")))
    assert (told["role"], told["election_timer_ms"], len(told["members"])) == ("leader", 1000, 3)
    copy = served.directory / "copy.db"
    assert done(served.db(1, "backup", copy)) == f"wrote {copy}\n"
    assert dbfile.schema_version(copy) == packaged_version()
    assert b"10.0.0.100" in copy.read_bytes()
    same = f"converted {served.remote} from schema {packaged_version()} to {packaged_version()}\n"
    assert done(served.db(1, "convert", served.remote)) == same


def test_a_server_is_replaced(served: Served) -> None:
    """One is lost for ever: it is removed, and one with a new database joins in its place."""
    leader = served.leader()
    lost = next(number for number in SERVERS if number != leader)
    identity = served.status(lost).id
    served.kill(lost)
    assert "no server" in one_line(served.db(leader, "cluster", "remove", "tcp:10.9.9.9:1"))
    assert done(served.db(leader, "cluster", "remove", identity)) == f"removed {identity}\n"
    database = served.files(lost).database
    database.rename(database.with_name("old.db"))
    join = ("cluster", "join", served.address(lost), served.address(leader))
    done(served.db(lost, *join))
    served.serve(lost)
    ids = until(
        lambda: {member.id for member in served.status(leader).members},
        lambda seen: len(seen) == 3,
        "three members",
    )
    assert identity not in ids


def test_a_server_leaves(served: Served) -> None:
    leader = served.leader()
    other = next(number for number in SERVERS if number != leader)
    assert "left the cluster" in done(served.db(leader, "cluster", "leave"))
    assert "belongs to no cluster" in one_line(served.db(leader, "cluster", "status"))
    until(lambda: served.status(other).members, lambda seen: len(seen) == 2, "two members")
    served.kill(leader)
    served.files(leader).database.unlink()
    done(served.db(leader, "cluster", "join", served.address(leader), served.address(other)))


def test_what_a_served_directory_refuses(served: Served) -> None:
    assert "answers on" in one_line(served.db(1, "serve"))
    again = ("cluster", "create", served.address(1))
    assert "exists already" in one_line(served.db(1, *again))
    assert "member of a cluster" in one_line(served.db(1, "convert"))


def test_a_database_that_stands_alone_is_served_too() -> None:
    with short_directory() as directory:
        port = free_ports("db")["db"]
        env = {"PREWIRE_STATE_DIR": str(directory)}
        done(run_here("db", "init", env=env))
        words = ["db", "serve", "--listen", f"ptcp:{port}:127.0.0.1"]
        with (directory / "log").open("wb") as log:
            child = processes.start("nib", words, environment(env), log)
        try:
            with Nib(f"tcp:127.0.0.1:{port}", "test") as nib:
                nib.write(lambda draft: draft.put(WEB)).result(60)
            assert int(ServerFiles(directory).pid.read_text()) == child.process.pid
        finally:
            processes.stop([child])
        assert child.process.returncode == -signal.SIGTERM


def test_trying_it_out_starts_what_dies() -> None:
    with short_directory() as directory:
        with (directory / "out").open("wb") as out:
            words = ["db", "cluster", "try", str(directory / "c")]
            child = processes.start("try", words, environment(), out)
        try:
            shown = until(
                (directory / "out").read_text, lambda text: text.count("process") == 3, "3 servers"
            )
            remote = shown.splitlines()[0].removeprefix("PREWIRE_NIB=")
            with Nib(remote, "test") as nib:
                first = ServerFiles(directory / "c" / "1")
                os.kill(int(first.pid.read_text()), signal.SIGKILL)
                until(
                    (directory / "out").read_text,
                    lambda text: "server-1 ended with status -9" in text,
                    "it is told",
                )
                nib.write(lambda draft: draft.put(WEB)).result(60)
        finally:
            processes.stop([child])
        assert child.process.returncode == 0
        for number in SERVERS:
            assert not is_answering(ServerFiles(directory / "c" / str(number)).socket)


@pytest.mark.root
def test_a_member_ends_while_it_has_not_failed_yet_when_its_disk_is_full() -> None:
    """Nobody writes: it would not notice."""
    with short_directory() as directory, small_disks([directory / "1"]):
        served = Served(directory, free_ports("db1", "raft1"), {})
        done(served.db(1, "cluster", "create", served.address(1)))
        try:
            served.serve(1)
            fill(served.files(1).directory)
            until(served.children[1].process.poll, lambda code: code is not None, "it ends")
        finally:
            processes.stop(list(served.children.values()))
        told = (directory / "1.log").read_text()
        assert "KiB left" in told, told


@pytest.mark.root
def test_a_member_whose_disk_was_full_ends_to_be_started_anew() -> None:
    """By itself it would stay out of its cluster, or spoil its file."""
    with short_directory() as directory, small_disks([directory / "1"]):
        served = Served(directory, free_ports("db1", "raft1"), {})
        here = served.files(1).directory
        done(served.db(1, "cluster", "create", served.address(1)))
        try:
            served.serve(1)
            with Nib(served.remote_of(1), "test", write_timeout_s=60) as nib:
                nib.write(lambda draft: draft.put(WEB)).result(60)
                fill(here)
                more = [Service(f"s{n}", f"10.0.1.{n}", 80) for n in range(1, 51)]  # over one page
                refused = [nib.write(methodcaller("put", each)) for each in more]
                ended = served.children[1].process
                until(ended.poll, lambda code: code is not None, "the server ends")
                refusal = one_line(served.db(1, "serve"))
                assert re.search(r"has \d KiB left.*; make room there: 8 MiB at least", refusal)
                free(here)
                served.serve(1)
                for each in refused:
                    with suppress(NibError):
                        each.result(60)
                nib.write(lambda draft: draft.put(replace(WEB, port=82))).result(60)
                with nib.view() as mirror:
                    assert mirror.need(Service, "web").port == 82
        finally:
            processes.stop(list(served.children.values()))
        told = (directory / "1.log").read_text()
        assert "to be started anew" in told, told
