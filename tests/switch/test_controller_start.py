"""How a controller starts and ends, on either framework: exit codes, and one line of reason."""

from __future__ import annotations

import re
import signal
import socket
import subprocess
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest

from nib.database import Nib
from nib.mirror import Lookups
from nib.records import Leader
from nib.server import EmbeddedServer
from prewire import processes
from prewire.settings import Settings, load
from tests import commands
from tests.places import free_ports, short_directory
from tests.ryu import Framework, controller_command, need
from tests.switch.rest_server import odd_database
from tests.waiting import until

BY: dict[Framework, str] = {"os-ken": "prewire: ", "ryu": "prewire-ryu-manager: "}


@pytest.fixture(params=["os-ken", "ryu"])
def framework(request: pytest.FixtureRequest) -> Framework:
    chosen: Framework = request.param
    need(chosen)
    return chosen


@pytest.fixture(scope="module")
def database() -> Iterator[EmbeddedServer]:
    with short_directory() as directory, EmbeddedServer(directory, processes.tied()) as server:
        yield server


@pytest.fixture
def settings(database: EmbeddedServer) -> Settings:
    """On the database of these tests, with ports of its own and no switch database."""
    return load(state_dir=database.state_dir, nib=database.remote, switch_db="", **free_ports())


@contextmanager
def started(
    framework: Framework, settings: Settings, log: Path
) -> Iterator[subprocess.Popen[bytes]]:
    """A controller that leads."""
    with log.open("wb") as output:
        process = subprocess.Popen(
            [*processes.tied(), *controller_command(framework, settings)],
            env=commands.environment(settings.environment),
            cwd=log.parent,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
        )
    try:
        with Nib(settings.nib_remote, "look") as nib:
            nib.when(lambda view: leads(view, process.pid)).result(60)
        yield process
    finally:
        if process.poll() is None:
            process.kill()
        process.wait()


def leads(view: Lookups, pid: int) -> bool:
    leader = view.get(Leader, ())
    return leader is not None and leader.controller.endswith(f":{pid}")


def refusal(framework: Framework, settings: Settings, **environment: str) -> str:
    """The one line of a controller that does not start."""
    done = subprocess.run(
        controller_command(framework, settings),
        env=commands.environment(settings.environment | environment),
        cwd=settings.state_dir,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 1, done
    said = done.stderr.splitlines()
    assert "Traceback" not in done.stderr, done.stderr
    assert said[-1].startswith(BY[framework]), done.stderr
    assert sum(line.startswith(BY[framework]) for line in said) == 1, done.stderr
    return said[-1]


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_it_in_order(
    framework: Framework, settings: Settings, number: signal.Signals, tmp_path: Path
) -> None:
    log = tmp_path / "log"
    with started(framework, settings, log) as process:
        page = httpx.get(f"http://127.0.0.1:{settings.metrics_port}/metrics", timeout=60).text
        assert "prewire_build_info{" in page
        process.send_signal(number)
        assert process.wait(60) == 0, log.read_text()
    assert "Traceback" not in log.read_text()
    assert not re.search(r"ERROR|CRITICAL|not greened", log.read_text()), log.read_text()


def test_sigterm_in_the_middle_of_the_start_of_ryu_ends_it(settings: Settings) -> None:
    """While it imports, or waits for a database that is not there."""
    need("ryu")
    away = settings.model_copy(update={"nib": "unix:/nowhere/nib.sock"})
    with subprocess.Popen(
        controller_command("ryu", away),
        env=commands.environment(away.environment),
        cwd=settings.state_dir,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    ) as process:
        state = Path(f"/proc/{process.pid}/status")
        until(
            lambda: re.search(r"SigCgt:\s*(\w+)", state.read_text()),
            lambda caught: caught and int(caught[1], 16) & 1 << (signal.SIGTERM - 1),
            "the controller catches SIGTERM",
        )
        process.terminate()
        out, _ = process.communicate(timeout=60)
    assert (process.returncode, out) == (0, b"")


def test_ports_in_use(framework: Framework, settings: Settings) -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        for setting, words in (("controller_port", "listen-port|controller_port"),
                               ("metrics_port", "metrics_port")):  # fmt: skip
            said = refusal(framework, settings.model_copy(update={setting: port}))
            assert re.search(words, said), said
            assert f"127.0.0.1:{port}" in said
            assert "choose another port" in said


def test_a_database_of_another_schema(settings: Settings) -> None:
    with odd_database(version="0.9.0") as odd:
        said = refusal("os-ken", settings.model_copy(update={"nib": f"unix:{odd}"}))
    assert "schema 0.9.0" in said
    assert "prewire db convert" in said


def test_a_database_that_is_not_there(settings: Settings) -> None:
    """Of all processes at once, for each tries for ten seconds."""
    need("ryu")
    remotes = ("unix:/nowhere/nib.sock", "tcp:127.0.0.1:1")
    away, closed = (settings.model_copy(update={"nib": remote}) for remote in remotes)
    with ThreadPoolExecutor(3) as pool:
        controllers = [pool.submit(refusal, each, away) for each in BY]
        api = pool.submit(commands.run, "api", env=closed.environment)
        for controller in controllers:
            assert away.nib in controller.result()
            assert "PREWIRE_NIB" in controller.result()
        said = commands.one_line(api.result())
    assert closed.nib in said
    assert "PREWIRE_NIB" in said


def test_a_bad_setting_names_its_variable(settings: Settings) -> None:
    said = refusal("os-ken", settings, PREWIRE_STATS_SECONDS="often")
    assert "stats_seconds" in said.lower()
    assert "'often'" in said
