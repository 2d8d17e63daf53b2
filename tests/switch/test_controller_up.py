"""`prewire up`: everything starts, ends in order, and leaves nothing behind however it ends."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest

from prewire.settings import Settings, load
from tests import commands
from tests.commands import one_line
from tests.places import free_ports, short_directory
from tests.waiting import until
from topologies.processes import ProcessId, identity, is_alive


@pytest.fixture
def settings() -> Iterator[Settings]:
    """A state directory and ports of its own."""
    with short_directory() as directory:
        yield load(state_dir=directory, switch_db="", **free_ports())


@contextmanager
def up(settings: Settings) -> Iterator[subprocess.Popen[str]]:
    """`prewire up` that said it is up; what it prints goes to `log` in the state directory."""
    with (settings.state_dir / "log").open("w") as log:
        process = subprocess.Popen(
            commands.command("up"),
            env=environment(settings),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=log,
            text=True,
            start_new_session=True,
        )
    assert process.stdout is not None
    try:
        first = process.stdout.readline()
        assert first.startswith("prewire is up. "), f"{first!r} {printed(settings)}"
        yield process
    finally:
        below = descendants(process.pid) if process.poll() is None else []
        process.kill()
        process.wait()
        process.stdout.close()
        assert_gone(below)  # they end by themselves, and write to the directory until then


def environment(settings: Settings) -> dict[str, str]:
    """Without the NIB's remote: it is the embedded one."""
    return commands.environment(settings.environment | {"PREWIRE_NIB": ""})


def printed(settings: Settings) -> str:
    return (settings.state_dir / "log").read_text()


def descendants(pid: int) -> list[ProcessId]:
    """The processes below this one."""
    found = []
    waiting = [pid]
    while waiting:
        task = waiting.pop()
        children = Path(f"/proc/{task}/task/{task}/children").read_text().split()
        waiting += [int(child) for child in children]
        found += [each for child in children if (each := identity(int(child)))]
    return found


def assert_gone(processes: list[ProcessId]) -> None:
    until(
        lambda: [process for process in processes if is_alive(process)],
        lambda alive: not alive,
        "no process is left",
    )


def put_web(settings: Settings) -> None:
    body = {"vip": "10.0.0.100", "port": 80}
    answer = httpx.put(f"{settings.api_url}/v1/services/web", json=body, timeout=60)
    assert answer.status_code == 201, answer.text


def services(settings: Settings) -> list[str]:
    items = httpx.get(f"{settings.api_url}/v1/services", timeout=60).json()["items"]
    return [each["name"] for each in items]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_everything_in_order(settings: Settings, number: signal.Signals) -> None:
    """To the whole group, as a terminal does it, and twice, as impatient users do."""
    with up(settings) as process:
        below = descendants(process.pid)
        assert len(below) == 3, "ovsdb-server, controller, REST server"
        assert services(settings) == []
        for _ in range(2):
            os.killpg(process.pid, number)
        assert process.wait(60) == 0, printed(settings)
        assert not any(is_alive(each) for each in below)
    assert "Traceback" not in printed(settings)
    left = {entry.name for entry in settings.state_dir.iterdir()}
    assert left == {"nib.db", ".nib.db.~lock~", "nib.log", "log"}, "no socket, no pid file"


def test_sigkill_leaves_no_process_and_the_next_start_finds_all_data(settings: Settings) -> None:
    with up(settings) as process:
        put_web(settings)
        below = descendants(process.pid)
        process.kill()
        assert_gone(below)
    with up(settings):
        assert services(settings) == ["web"]


@pytest.mark.parametrize(("name", "word"), [("controller", "controller"), ("nib", "ovsdb-server")])
def test_a_child_that_dies_ends_the_whole_with_a_line_that_names_it(
    settings: Settings, name: str, word: str
) -> None:
    with up(settings) as process:
        below = descendants(process.pid)
        victim = next(each for each in below if word in command_of(each))
        os.kill(victim.pid, signal.SIGKILL)
        assert process.wait(60) == 1, printed(settings)
        assert not any(is_alive(each) for each in below)
    last = printed(settings).splitlines()[-1]
    assert last.startswith(f"prewire: {name} ended with status -9"), printed(settings)


def command_of(process: ProcessId) -> list[str]:
    words = Path(f"/proc/{process.pid}/cmdline").read_text().split("\0")
    return [words[0].rpartition("/")[2], *words[1:]]


def test_a_second_one_on_the_same_state_is_refused(settings: Settings) -> None:
    with up(settings):
        other = load(state_dir=settings.state_dir, switch_db="", **free_ports())
        said = one_line(commands.run_here("up", env=environment(other)))
        assert "another ovsdb-server" in said
        assert services(settings) == []


@pytest.mark.parametrize("name", ["api_port", "controller_port", "metrics_port"])
def test_a_port_in_use_is_named(settings: Settings, name: str) -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", getattr(settings, name)))
        other.listen()
        said = one_line(commands.run_here("up", env=environment(settings)))
    assert said.startswith(f"prewire: {name}: cannot listen on 127.0.0.1:")
    assert "choose another port" in said
    assert not (settings.state_dir / "nib.db").exists(), "nothing was begun"


def test_the_rest_servers_port_in_use_is_named(settings: Settings) -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", settings.api_port))
        other.listen()
        said = one_line(commands.run_here("api", env=environment(settings)))
    assert said.startswith("prewire: api_port: cannot listen on 127.0.0.1:")


def test_an_address_of_another_machine_is_named(settings: Settings) -> None:
    env = environment(settings) | {"PREWIRE_CONTROLLER_HOST": "192.0.2.1"}
    said = one_line(commands.run_here("up", env=env))
    assert said.startswith("prewire: controller_port: cannot listen on 192.0.2.1:")


def test_a_state_directory_that_cannot_be_is_named(settings: Settings) -> None:
    blocked = settings.state_dir / "file"
    blocked.write_text("")
    env = environment(settings) | {"PREWIRE_STATE_DIR": str(blocked / "below")}
    assert str(blocked) in one_line(commands.run_here("up", env=env))
    long = environment(settings) | {"PREWIRE_STATE_DIR": str(settings.state_dir / ("x" * 120))}
    assert "shorter path" in one_line(commands.run_here("up", env=long))
