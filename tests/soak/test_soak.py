"""A soak of a minute: all of it works, and what leaks is found."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import pytest

from tests.soak import samples
from tests.soak.plot import plot
from tests.soak.run import Outcome, soak
from tests.soak.samples import Sample
from tests.soak.trends import trend
from tests.soak.verdict import DESCRIPTORS, MEMORY, leaks
from tests.waiting import until

SECONDS: Final = 45.0
LOOKS: Final = 30

# Twenty times a second half a megabyte, a descriptor, or a namespace; `ready` when it begins.
_LEAKS: Final = {
    "memory": "kept.append(b'x' * (1 << 19))",
    "descriptors": "kept.append(socket.socket())",
}
_PROGRAM: Final = """
import socket, time
kept = []
print("ready", flush=True)
while True:
    {leak}
    time.sleep(0.05)
"""

pytestmark = pytest.mark.root


@pytest.fixture(scope="module")
def outcome() -> Outcome:
    """Of one soak. Memory says nothing within a minute: caches and pools are filling."""
    return soak(SECONDS, seed=1)


def test_nothing_leaks_and_no_counter_falls(outcome: Outcome) -> None:
    still_filling = ("grows: memory", "grows: series")
    wrong = [v for v in outcome.verdict.violations if not v.startswith(still_filling)]
    assert wrong == []


def test_all_took_part(outcome: Outcome) -> None:
    counted = outcome.counted
    assert sum(counted["changes"].values()) > 100
    assert {"PUT services", "DELETE services", "PUT policies", "POST reports"} <= set(
        counted["changes"]
    )
    wanted = {"reader", "watcher 1", "page", "subscriber", "command", "datagrams"}
    assert wanted <= set(counted["turns"])
    assert counted["requests"] > 1000
    assert min(counted["answered"].values()) > 0
    assert counted["counters_compared"] > 1000


def test_every_process_was_looked_at(outcome: Outcome) -> None:
    wanted = {"nib", "controller", "api", "predictor", "node", "ovs-vswitchd", "switch database"}
    assert all(set(sample.processes) == wanted for sample in outcome.samples)
    assert {each.name for each in outcome.verdict.trends} >= {f"memory of {p}" for p in wanted}


def test_it_is_drawn(outcome: Outcome, tmp_path: Path) -> None:
    plot(outcome, tmp_path / "soak.png")
    assert (tmp_path / "soak.png").read_bytes().startswith(b"\x89PNG")


@contextmanager
def leaking(what: str) -> Iterator[int]:
    """A process that leaks inside the body."""
    program = _PROGRAM.format(leak=_LEAKS[what])
    command = [sys.executable, "-c", program]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"ready\n"
        try:
            yield process.pid
        finally:
            process.kill()


def looks(pid: int) -> list[Sample]:
    """At a process, for some seconds."""

    found: list[Sample] = []

    def look() -> int:
        found.append(Sample(time.monotonic(), samples.usages({"p": pid}), {}))
        return len(found)

    until(look, lambda count: count >= LOOKS, f"{LOOKS} looks")
    return found


def test_a_process_whose_memory_grows_is_found() -> None:
    with leaking("memory") as pid:
        seen = looks(pid)
    times, sizes = [s.at_s for s in seen], [s.processes["p"].own_mib for s in seen]
    grown = trend("p", "MiB", times, sizes, MEMORY)
    assert grown is not None
    assert not grown.is_flat


def test_a_process_that_keeps_descriptors_is_found() -> None:
    with leaking("descriptors") as pid:
        seen = looks(pid)
    times, counts = [s.at_s for s in seen], [float(s.processes["p"].fds) for s in seen]
    grown = trend("p", "fd", times, counts, DESCRIPTORS)
    assert grown is not None
    assert not grown.is_flat
    assert any("descriptors of p" in found for found in leaks(seen[0], seen[-1]))


def test_a_namespace_that_stays_is_found() -> None:
    before = samples.namespaces()
    with subprocess.Popen(["unshare", "--net", "sleep", "60"]) as process:
        try:
            until(samples.namespaces, lambda count: count > before, "one namespace more")
        finally:
            process.kill()
    until(samples.namespaces, lambda count: count == before, "as many as before")
