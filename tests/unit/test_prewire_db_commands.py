"""`prewire db cluster` and `prewire db serve`: what is refused before anything is touched."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.commands import Finished, one_line, run_here


def db(directory: Path, *arguments: str) -> Finished:
    return run_here("db", *arguments, env={"PREWIRE_STATE_DIR": str(directory)})


@pytest.mark.parametrize(
    "address", ["", "10.0.0.1:6644", "tcp:10.0.0.1", "tcp:10.0.0.1:", "tcp:10.0.0.1:0",
                "tcp:10.0.0.1:65536", "tcp:fd00::1:6644", "udp:10.0.0.1:6644", "ptcp:6644:10.0.0.1",
                "tcp:10.0.0.1:6644,tcp:10.0.0.2:6644", "tcp:a b:1", "unix:"],
)  # fmt: skip
def test_addresses_refused(address: str, tmp_path: Path) -> None:
    for arguments in (("create", address), ("join", address, "tcp:10.0.0.2:6644"),
                      ("join", "tcp:10.0.0.2:6644", address)):  # fmt: skip
        said = one_line(db(tmp_path, "cluster", *arguments))
        assert "no address of a server" in said
        assert "tcp:IP:PORT" in said
    assert list(tmp_path.iterdir()) == []


def test_a_server_does_not_join_itself(tmp_path: Path) -> None:
    own = "tcp:10.0.0.1:6644"
    assert "this server's own" in one_line(db(tmp_path, "cluster", "join", own, own))


@pytest.mark.parametrize(
    "listen", ["tcp:10.0.0.1:6641", "6641", "ptcp:", "ptcp:0", "ptcp:70000:10.0.0.1",
               "ptcp:6641:a:b", "punix:", "ssl:6641"],
)  # fmt: skip
def test_nothing_to_listen_on(listen: str, tmp_path: Path) -> None:
    said = one_line(db(tmp_path, "serve", "--listen", listen))
    assert "ptcp:PORT:ADDRESS" in said


def test_there_is_no_database_to_serve(tmp_path: Path) -> None:
    assert "prewire db init" in one_line(db(tmp_path, "serve"))


@pytest.mark.parametrize("command", [("status",), ("leave",), ("remove", "a1b2")])
def test_no_server_runs_here(command: tuple[str, ...], tmp_path: Path) -> None:
    said = one_line(db(tmp_path, "cluster", *command))
    assert "no server runs here" in said
    assert "start it first" in said
