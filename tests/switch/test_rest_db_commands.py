"""`prewire db`: init, convert and backup, with the programs of a real OVSDB."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from nib.dbfile import schema_version
from nib.rows import packaged_version
from tests.commands import Finished, one_line, run_here
from tests.places import short_directory
from tests.switch.rest_server import odd_database_file, serving


@pytest.fixture
def directory() -> Iterator[Path]:
    with short_directory() as path:
        yield path


def db(*arguments: object, state_dir: Path) -> Finished:
    words = [str(each) for each in arguments]
    return run_here("db", *words, env={"PREWIRE_STATE_DIR": str(state_dir)})


def test_init_makes_the_database_of_the_state_directory(directory: Path) -> None:
    done = db("init", state_dir=directory / "new")
    file = directory / "new/nib.db"
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == f"created {file}, schema {packaged_version()}\n"
    assert schema_version(file) == packaged_version()


def test_init_leaves_a_database_alone(directory: Path) -> None:
    file = directory / "a.db"
    assert db("init", file, state_dir=directory).returncode == 0
    before = file.read_bytes()
    said = one_line(db("init", file, state_dir=directory))
    assert f"{file} exists already" in said
    assert file.read_bytes() == before


def test_convert_brings_an_old_database_up_and_keeps_a_copy(directory: Path) -> None:
    file = odd_database_file(directory / "nib.db", {"version": "0.9.0"})
    old = file.read_bytes()
    done = db("convert", state_dir=directory)
    assert (done.returncode, done.stderr) == (0, "")
    first, second = done.stdout.splitlines()
    assert first == f"converted {file} from schema 0.9.0 to {packaged_version()}"
    copy = Path(second.removeprefix("the old database is "))
    assert copy.read_bytes() == old
    assert schema_version(file) == packaged_version()


def test_convert_without_a_copy(directory: Path) -> None:
    odd_database_file(directory / "nib.db", {"version": "0.9.0"})
    assert len(db("convert", "--no-backup", state_dir=directory).stdout.splitlines()) == 1
    assert not list(directory.glob("*.backup"))


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"version": "9.0.0"}, "the prewire version that made it"),
        ({"name": "Other"}, "named Other"),
    ],
)
def test_convert_refuses_what_it_cannot_convert(
    directory: Path, changes: dict[str, object], words: str
) -> None:
    file = odd_database_file(directory / "nib.db", changes)
    before = file.read_bytes()
    assert words in one_line(db("convert", state_dir=directory))
    assert file.read_bytes() == before


def test_convert_without_a_database(directory: Path) -> None:
    assert "prewire db init" in one_line(db("convert", state_dir=directory))


def test_backup_of_a_running_server_and_of_its_file(directory: Path) -> None:
    with serving() as server:
        assert server.put("/v1/services/web", vip="10.0.0.100", port=80).status_code == 201
        state_dir = server.settings.state_dir
        live, offline = directory / "live.db", directory / "offline.db"
        assert db("backup", live, state_dir=state_dir).stdout == f"wrote {live}\n"
        in_use = db("backup", offline, "--source", state_dir / "nib.db", state_dir=directory)
        assert "in use by a running ovsdb-server" in one_line(in_use)
        server.database.stop()
        done = db("backup", offline, "--source", state_dir / "nib.db", state_dir=directory)
        assert done.returncode == 0, done
    for copy in (live, offline):
        assert b"10.0.0.100" in copy.read_bytes(), f"{copy} has the service"
        assert "exists already" in one_line(db("backup", copy, state_dir=directory))


def test_backup_without_a_server(directory: Path) -> None:
    said = one_line(db("backup", directory / "copy.db", state_dir=directory))
    assert "nib.sock" in said
    assert not list(directory.glob("copy.db*"))


def test_places_that_cannot_be_written(directory: Path) -> None:
    (directory / "file").write_text("")
    below = directory / "file/below.db"
    assert str(directory / "file") in one_line(db("init", below, state_dir=directory))
    with serving() as server:
        state_dir = server.settings.state_dir
        assert str(below) in one_line(db("backup", below, state_dir=state_dir))
