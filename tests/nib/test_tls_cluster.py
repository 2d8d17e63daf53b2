"""Three servers that replicate by TLS and take clients by TLS; a stranger is not let in."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from nib import raft, tls, tls_stream
from nib.database import Nib
from nib.dbfile import run_tool
from nib.intent import Service
from nib.rows import DATABASE
from nib.serving import ServerFiles, ServerProcess
from nib.tls import TlsFiles
from prewire import processes
from tests.certified import Certified, certified
from tests.places import free_ports
from tests.waiting import until

NAMES = ("one", "two", "three")


@pytest.fixture(scope="module")
def made() -> Iterator[Certified]:
    with certified() as here:
        yield here


def member(
    directory: Path, address: str, join: list[str], remote: int, own: TlsFiles
) -> ServerProcess:
    """A server that is started; it stands alone where it joins nobody."""
    files = ServerFiles(directory)
    directory.mkdir()
    if join:
        raft.join(files.database, address, join)
    else:
        raft.create(files.database, address)
    listen = [f"pssl:{remote}:127.0.0.1"]
    server = ServerProcess(files, processes.tied(), listen, tls.server_options(own))
    server.start()
    return server


def await_member(server: ServerProcess) -> None:
    run_tool("ovsdb-client", "--timeout=60", "wait", server.remote, DATABASE, "connected")


def test_writes_survive_the_leader(made: Certified, state_dir: Path) -> None:
    ports = free_ports(*NAMES, *(f"{name}-raft" for name in NAMES))
    addresses = [f"ssl:127.0.0.1:{ports[f'{name}-raft']}" for name in NAMES]
    remote = ",".join(f"ssl:127.0.0.1:{ports[name]}" for name in NAMES)
    tls_stream.use(made.prewire)
    with ExitStack() as ending:
        servers = []
        for number, name in enumerate(NAMES):
            known = addresses[:number]
            server = member(state_dir / name, addresses[number], known, ports[name], made.prewire)
            ending.callback(server.stop)
            await_member(server)
            servers.append(server)
        nib = ending.enter_context(Nib(remote, "test", write_timeout_s=20))
        nib.write(lambda draft: draft.put(Service("before", "10.0.0.1", 80))).result(60)
        leader = next(each for each in servers if raft.status(each.files.control).leads)
        leader.kill()
        nib.write(lambda draft: draft.put(Service("after", "10.0.0.2", 80))).result(60)
        with nib.view() as view:
            assert {service.name for service in view.all(Service)} == {"before", "after"}


def test_a_stranger_is_not_let_in(made: Certified, state_dir: Path) -> None:
    ports = free_ports("one", "two", "one-raft", "two-raft")
    ours, theirs = (f"ssl:127.0.0.1:{ports[f'{name}-raft']}" for name in ("one", "two"))
    with ExitStack() as ending:
        server = member(state_dir / "one", ours, [], ports["one"], made.prewire)
        ending.callback(server.stop)
        await_member(server)
        stranger = member(state_dir / "two", theirs, [ours], ports["two"], made.stranger)
        ending.callback(stranger.stop)
        until(
            stranger.files.log.read_text,
            lambda lines: "certificate verify failed" in lines,
            "the stranger is refused",
        )
        assert len(raft.status(server.files.control).members) == 1
