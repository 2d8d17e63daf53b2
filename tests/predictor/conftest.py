"""A real Dask cluster of two workers, for the tests of this folder."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from predictor.replay.pool import PoolError, pool
from tests.predictor.prometheus_site import free_port
from tests.waiting import until


@pytest.fixture(scope="session")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of a scheduler with two worker processes."""
    pytest.importorskip("distributed")
    directory, port = tmp_path_factory.mktemp("dask"), free_port()
    address = f"tcp://127.0.0.1:{port}"
    scheduler = ("scheduler", "--host", "127.0.0.1", "--port", str(port), "--no-dashboard")
    worker = ("worker", address, "--nthreads", "1", "--no-dashboard", "--no-nanny",
              "--death-timeout", "60")  # fmt: skip
    with ExitStack() as stack:
        for name, command in (("s", scheduler), ("w1", worker), ("w2", worker)):
            stack.callback(_end, _start(directory / name, *command))
        until(lambda: _workers(address), lambda count: count == 2, "two workers are there", 60)
        yield address


def _start(directory: Path, *command: str) -> subprocess.Popen[bytes]:
    directory.mkdir()
    with (directory / "log").open("wb") as log:
        return subprocess.Popen(
            [sys.executable, "-m", "dask", *command],
            cwd=directory,
            env=os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)},
            stdout=log,
            stderr=log,
        )


def _end(process: subprocess.Popen[bytes]) -> None:
    process.kill()
    process.wait()


def _workers(address: str) -> int:
    """How many processes do work there."""
    try:
        with pool(address) as here:
            return len(set(here.map(_where, range(8))))
    except PoolError:
        return 0


def _where(number: int) -> int:
    """The process, after a while, so that one worker cannot do all."""
    del number
    time.sleep(0.05)
    return os.getpid()
