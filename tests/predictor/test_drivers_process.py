"""Containers that are processes: really started, really stopped."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
import sys
import textwrap
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Final

import pytest

from nib.errors import FieldError
from predictor.outward.drivers.commands import read_commands
from predictor.outward.drivers.contract import DriverError, parse_target
from predictor.outward.drivers.process import Command, ProcessDriver, Waits
from tests.waiting import until

SHOP: Final = parse_target("process:shop")

# Writes its process id where it is told, and waits; deaf: takes no SIGTERM; with a child likewise.
CONTAINER: Final = textwrap.dedent(
    """
    import os, signal, subprocess, sys, time
    path, *how = sys.argv[1:]
    if "deaf" in how:
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
    if "child" in how:
        child = subprocess.Popen(["sleep", "1000"])
        open(path + ".child", "w").write(str(child.pid))
    open(path + ".tmp", "w").write(str(os.getpid()))
    os.rename(path + ".tmp", path)
    time.sleep(1000)
    """
)


def place(directory: Path, number: int, *how: str, **hooks: Sequence[str]) -> Command:
    path = str(directory / f"c{number}")
    return Command(f"c{number}", (sys.executable, "-c", CONTAINER, path, *how), **hooks)  # type: ignore[arg-type]


@asynccontextmanager
async def driving(*places: Command, grace_s: float = 5.0) -> AsyncIterator[ProcessDriver]:
    driver = ProcessDriver({"shop": places}, Waits(hook_s=5.0, grace_s=grace_s))
    try:
        yield driver
    finally:
        await driver.close()


def pid_of(directory: Path, name: str) -> int:
    path = directory / name
    return int(until(lambda: path.exists() and path.read_text(), bool, f"{name} runs"))


def lives(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"


async def until_there(holds: Callable[[], object]) -> None:
    async with asyncio.timeout(10):
        while not holds():
            await asyncio.sleep(0.01)


def test_as_many_run_as_are_wanted_and_all_end_with_the_driver(tmp_path: Path) -> None:
    pids: list[int] = []

    async def run() -> None:
        async with driving(*(place(tmp_path, number) for number in range(3))) as driver:
            await driver.scale(SHOP, 2)
            assert driver.running("shop") == ("c0", "c1")
            await driver.scale(SHOP, 3)
            pids.extend(pid_of(tmp_path, f"c{number}") for number in range(3))
            assert all(map(lives, pids))
            await driver.scale(SHOP, 1)
            await until_there(lambda: not lives(pids[1]) and not lives(pids[2]))
            assert lives(pids[0])
            assert driver.running("shop") == ("c0",)

    asyncio.run(run())
    assert not any(map(lives, pids))


def test_scaling_to_the_same_number_starts_nothing_anew(tmp_path: Path) -> None:
    async def run() -> None:
        async with driving(place(tmp_path, 0)) as driver:
            await driver.scale(SHOP, 1)
            first = pid_of(tmp_path, "c0")
            await driver.scale(SHOP, 1)
            assert pid_of(tmp_path, "c0") == first

    asyncio.run(run())


def test_a_container_that_died_is_started_again(tmp_path: Path) -> None:
    async def run() -> None:
        async with driving(place(tmp_path, 0)) as driver:
            await driver.scale(SHOP, 1)
            first = pid_of(tmp_path, "c0")
            (tmp_path / "c0").unlink()
            os.kill(first, signal.SIGKILL)
            await until_there(lambda: not driver.running("shop"))
            await driver.scale(SHOP, 1)
            assert await asyncio.to_thread(pid_of, tmp_path, "c0") != first

    asyncio.run(run())


def test_who_is_deaf_to_sigterm_is_killed_with_its_children(tmp_path: Path) -> None:
    async def run() -> None:
        async with driving(place(tmp_path, 0, "deaf", "child"), grace_s=0.2) as driver:
            await driver.scale(SHOP, 1)
            pids = pid_of(tmp_path, "c0"), pid_of(tmp_path, "c0.child")
            await driver.scale(SHOP, 0)
            await until_there(lambda: not any(map(lives, pids)))

    asyncio.run(run())


def test_what_follows_the_start_and_precedes_the_stop_is_run(tmp_path: Path) -> None:
    log = tmp_path / "log"

    def noting(word: str) -> tuple[str, ...]:
        return ("sh", "-c", f"echo {word} >> {log}")

    async def run() -> None:
        hooked = place(tmp_path, 0, after_start=noting("registered"), before_stop=noting("drained"))
        async with driving(hooked) as driver:
            await driver.scale(SHOP, 1)
            assert log.read_text() == "registered\n"
            await driver.scale(SHOP, 0)
            await until_there(lambda: log.read_text() == "registered\ndrained\n")

    asyncio.run(run())


def test_a_start_whose_registration_fails_is_undone_and_says_what_was_said(tmp_path: Path) -> None:
    async def run() -> None:
        failing = ("sh", "-c", "echo no such service; exit 3")
        async with driving(place(tmp_path, 0, after_start=failing)) as driver:
            with pytest.raises(DriverError, match="ended with 3: no such service") as error:
                await driver.scale(SHOP, 1)
            assert error.value.passing
            assert driver.running("shop") == ()

    asyncio.run(run())


def test_a_surge_during_a_drain_is_served_by_what_is_free(tmp_path: Path) -> None:
    async def run() -> None:
        slow = place(tmp_path, 0, before_stop=("sleep", "2"))
        async with driving(slow, place(tmp_path, 1)) as driver:
            await driver.scale(SHOP, 1)
            await driver.scale(SHOP, 0)
            async with asyncio.timeout(1):
                await driver.scale(SHOP, 1)
            assert driver.running("shop") == ("c1",)

    asyncio.run(run())


def test_more_than_there_are_places_for_starts_all_and_says_so(tmp_path: Path) -> None:
    async def run() -> None:
        async with driving(place(tmp_path, 0), place(tmp_path, 1)) as driver:
            with pytest.raises(DriverError, match="places for 2 containers, not 5") as error:
                await driver.scale(SHOP, 5)
            assert not error.value.passing
            assert driver.running("shop") == ("c0", "c1")

    asyncio.run(run())


def test_a_command_that_is_not_there_is_an_error_that_names_it(tmp_path: Path) -> None:
    async def run() -> None:
        async with driving(Command("c0", ("/nowhere/at-all",))) as driver:
            with pytest.raises(DriverError, match="container c0: /nowhere/at-all: not found"):
                await driver.scale(SHOP, 1)
        with pytest.raises(DriverError, match="process:other has no commands; there are: shop"):
            await driver.scale(parse_target("process:other"), 1)

    asyncio.run(run())


def test_containers_end_when_the_predictor_is_killed(tmp_path: Path) -> None:
    script = textwrap.dedent(
        """
        import asyncio, sys
        from predictor.outward.drivers.contract import parse_target
        from predictor.outward.drivers.process import Command, ProcessDriver
        async def run():
            driver = ProcessDriver({"shop": [Command("c0", sys.argv[1:])]})
            await driver.scale(parse_target("process:shop"), 1)
            await asyncio.sleep(1000)
        asyncio.run(run())
        """
    )
    argv = [sys.executable, "-c", CONTAINER, str(tmp_path / "c0")]
    with subprocess.Popen([sys.executable, "-c", script, *argv]) as predictor:
        pid = pid_of(tmp_path, "c0")
        predictor.kill()
    until(lambda: lives(pid), lambda alive: not alive, "the container ends")


def test_commands_are_read_from_yaml_and_json(tmp_path: Path) -> None:
    yaml = tmp_path / "containers.yaml"
    yaml.write_text(
        """
shop:
  - id: shop-1
    start: python3 -m http.server "80 81"
    after_start: [curl, -X, PUT]
    environment: {PORT: 8081}
"""
    )
    [command] = read_commands(yaml)["shop"]
    assert command.start == ("python3", "-m", "http.server", "80 81")
    assert command.after_start == ("curl", "-X", "PUT")
    assert command.environment == {"PORT": "8081"}
    as_json = tmp_path / "containers.json"
    as_json.write_text(json.dumps({"shop": [{"id": "a", "start": ["true"]}]}))
    assert read_commands(as_json) == {"shop": [Command("a", ("true",))]}


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[]", "is no mapping"),
        ("shop: {}", "shop: has no containers"),
        ("shop: [{id: a}]", r"shop\[0\]: lacks id or start"),
        ("shop: [{id: a, start: ''}]", r"shop\[0\].start: is empty"),
        ("shop: [{id: a, start: 'say \"hi'}]", r"shop\[0\].start: No closing quotation"),
        ("shop: [{id: a, start: x, stop: y}]", r"shop\[0\].stop: is no field; use after_start"),
        ("shop: [{id: a, start: x}, {id: a, start: y}]", "shop: has an id twice"),
        ("shop: [{id: a, start: x, environment: 3}]", "environment: is no mapping"),
        ("a: [", "containers.yaml"),
    ],
)
def test_a_file_of_commands_that_is_wrong_is_refused_by_place(
    tmp_path: Path, text: str, said: str
) -> None:
    path = tmp_path / "containers.yaml"
    path.write_text(text)
    with pytest.raises(FieldError, match=said):
        read_commands(path)


def test_a_file_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(FieldError, match="No such file"):
        read_commands(tmp_path / "none.yaml")
