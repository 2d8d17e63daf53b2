"""The REST server while its database is away, and with one it cannot use."""

from __future__ import annotations

import pytest

from tests.commands import one_line, run, run_here
from tests.places import free_ports, short_directory
from tests.switch.rest_server import odd_database, odd_database_file, problem, serving
from tests.waiting import until


def test_writes_are_503_while_the_database_is_away_and_work_again_afterwards() -> None:
    """What is known is still shown; what happened meanwhile is nothing."""
    with serving() as server:
        assert server.put("/v1/services/web", vip="10.0.0.100", port=80).status_code == 201
        server.database.stop()
        found = problem(server.put("/v1/services/two", vip="10.0.0.101", port=80), 503)
        assert found["field"] == "nib"
        assert "not written" in found["detail"]
        assert server.http.get("/v1/services/web").json()["vip"] == "10.0.0.100"

        server.database.start()

        until(
            lambda: server.put("/v1/services/two", vip="10.0.0.102", port=80).status_code,
            lambda status: status in (200, 201),
            "writes work again",
        )
        assert server.http.get("/v1/services/two").json()["vip"] == "10.0.0.102"
        assert server.generation() == 2, "nothing of the refused write came through"


@pytest.mark.parametrize(
    ("version", "remedy"), [("0.9.0", "prewire db convert"), ("2.0.0", "the prewire version")]
)
def test_a_database_of_another_schema_is_refused(version: str, remedy: str) -> None:
    with odd_database(version=version) as socket:
        said = one_line(run("api", env=_settings(f"unix:{socket}")))
    assert f"schema {version}" in said
    assert remedy in said


def test_a_server_without_our_database_is_refused() -> None:
    with odd_database(name="Other") as socket:
        said = one_line(run("api", env=_settings(f"unix:{socket}")))
    assert "it serves: Other" in said
    assert "prewire db init" in said


@pytest.mark.parametrize("process", ["api", "controller", "up"])
def test_a_remote_that_is_none_is_refused(process: str) -> None:
    said = one_line(run_here(process, env=_settings("nonsense")))
    assert said.startswith("prewire: nib: ")
    assert "PREWIRE_NIB" in said


def test_up_refuses_a_database_file_of_another_schema() -> None:
    with short_directory() as directory:
        odd_database_file(directory / "nib.db", {"version": "0.9.0"})
        before = (directory / "nib.db").read_bytes()
        env = _settings("") | {"PREWIRE_STATE_DIR": str(directory)}
        said = one_line(run("up", env=env))
        assert "schema 0.9.0" in said
        assert "prewire db convert" in said
        assert (directory / "nib.db").read_bytes() == before


def test_up_refuses_a_file_that_is_no_database() -> None:
    with short_directory() as directory:
        (directory / "nib.db").write_text("not a database")
        env = _settings("") | {"PREWIRE_STATE_DIR": str(directory)}
        assert str(directory / "nib.db") in one_line(run("up", env=env))


def _settings(nib: str) -> dict[str, str]:
    ports = {f"PREWIRE_{name.upper()}": str(port) for name, port in free_ports().items()}
    return {"PREWIRE_NIB": nib, **ports}
