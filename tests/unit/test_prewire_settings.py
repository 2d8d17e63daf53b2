"""Settings: flags before environment before file, and what is said of bad ones."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from prewire.settings import Settings, load
from tests.commands import one_line, run_here


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "prewire.toml"


def api_port(monkeypatch: pytest.MonkeyPatch, file: Path, variable: str = "") -> None:
    """A file with another REST port, and a variable if one is given."""
    file.write_text("api_port = 1001\nmetrics_port = 0\n")
    monkeypatch.setenv("PREWIRE_CONFIG", str(file))
    if variable:
        monkeypatch.setenv("PREWIRE_API_PORT", variable)


def test_defaults() -> None:
    given = load()
    assert (given.api_port, given.controller_port, given.metrics_port) == (8686, 6653, 9686)
    assert given.nib_remote == "unix:/var/lib/prewire/nib.sock"
    assert given.api_url == "http://127.0.0.1:8686"


def test_a_file_is_before_defaults(monkeypatch: pytest.MonkeyPatch, file: Path) -> None:
    api_port(monkeypatch, file)
    assert (load().api_port, load().metrics_port) == (1001, 0)


def test_the_environment_is_before_the_file(monkeypatch: pytest.MonkeyPatch, file: Path) -> None:
    api_port(monkeypatch, file, "1002")
    assert (load().api_port, load().metrics_port) == (1002, 0)


def test_a_flag_is_before_the_environment(monkeypatch: pytest.MonkeyPatch, file: Path) -> None:
    api_port(monkeypatch, file, "1002")
    assert load(api_port=1003, nib=None).api_port == 1003


def test_the_command_takes_all_three(file: Path) -> None:
    """Each names a server that is not there, and the complaint tells which was in force."""
    file.write_text("api_port = 1\n")
    config = {"PREWIRE_CONFIG": str(file)}
    assert "http://127.0.0.1:1 " in one_line(run_here("status", env=config))
    both = {**config, "PREWIRE_API_PORT": "2"}
    assert "http://127.0.0.1:2 " in one_line(run_here("status", env=both))
    flag = run_here("status", "--api", "http://127.0.0.1:3", env=both)
    assert "http://127.0.0.1:3 " in one_line(flag)


def test_a_child_process_gets_the_same_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    given = load(state_dir="/tmp/x", api_host="::1", stats_seconds=0.5)  # noqa: S108
    for name, value in given.environment.items():
        monkeypatch.setenv(name, value)
    again = load()
    assert again == given.model_copy(update={"nib": "unix:/tmp/x/nib.sock"})
    assert again.api_url == "http://[::1]:8686"


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("api_port = \n", "not valid TOML"),
        ("{}", "not valid TOML"),
        ("colour = 'red'\n", "colour: no such setting"),
        ("api_port = 'many'\n", "api_port: "),
        ("api_port = 0\n", "api_port: "),
        ("api_port = 70000\n", "api_port: "),
        ("api_port = [1]\n", "api_port: "),
        ("stats_seconds = 0\n", "stats_seconds: "),
        ("stats_seconds = nan\n", "stats_seconds: "),
        ("stats_seconds = inf\n", "stats_seconds: "),
        ("log_level = 'loud'\n", "log_level: "),
        ("nib = 'nonsense'\n", "nib: "),
        ("[api_port]\nx = 1\n", "api_port: "),
        ("\x00", "not valid TOML"),
    ],
)
def test_a_bad_file_is_one_line_that_names_setting_and_file(
    file: Path, text: str, words: str
) -> None:
    file.write_text(text)
    said = one_line(run_here("status", env={"PREWIRE_CONFIG": str(file)}))
    assert words in said
    assert str(file) in said


@pytest.mark.parametrize(
    ("variable", "value"),
    [
        ("PREWIRE_API_PORT", "many"),
        ("PREWIRE_API_PORT", ""),
        ("PREWIRE_API_PORT", "0"),
        ("PREWIRE_CONTROLLER_PORT", "-1"),
        ("PREWIRE_METRICS_PORT", "65536"),
        ("PREWIRE_STATS_SECONDS", "often"),
        ("PREWIRE_LOG_LEVEL", "LOUD"),
        ("PREWIRE_NIB", "nonsense"),
    ],
)
def test_a_bad_variable_is_one_line_that_names_it(variable: str, value: str) -> None:
    assert variable in one_line(run_here("status", env={variable: value}))


def test_a_bad_flag_is_one_line_that_names_it() -> None:
    said = one_line(run_here("api", "--api-port", "70000"))
    assert said.startswith("prewire: api_port: ")
    assert "flag" in said


def test_a_file_that_is_not_there_or_unreadable(tmp_path: Path) -> None:
    for path in (tmp_path / "none.toml", tmp_path):
        said = one_line(run_here("status", env={"PREWIRE_CONFIG": str(path)}))
        assert "PREWIRE_CONFIG" in said
        assert str(path) in said
    latin = tmp_path / "latin.toml"
    latin.write_bytes(b"api_host = '\xe9'\n")
    assert str(latin) in one_line(run_here("status", env={"PREWIRE_CONFIG": str(latin)}))


def test_every_setting_is_described_and_is_a_flag_of_each_process() -> None:
    for name, field in Settings.model_fields.items():
        assert field.description, name
    for process in ("up", "controller", "api", "node"):
        shown = run_here(process, "--help", env={"COLUMNS": "200"})
        assert shown.returncode == 0
        for name in Settings.model_fields:
            assert f"--{name.replace('_', '-')}" in shown.stdout, f"{process} --help"


def test_settings_are_plain_values() -> None:
    assert json.loads(load().model_dump_json())["api_port"] == 8686
