"""A real ovsdb-server for every test, in a directory with a short path."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from nib.database import Nib
from nib.server import EmbeddedServer
from tests.places import short_directory

OpenNib = Callable[..., Nib]


@pytest.fixture
def state_dir() -> Iterator[Path]:
    with short_directory() as path:
        yield path


@pytest.fixture
def server(state_dir: Path) -> Iterator[EmbeddedServer]:
    server = EmbeddedServer(state_dir)
    server.start()
    yield server
    server.stop()


@pytest.fixture
def open_nib(server: EmbeddedServer) -> Iterator[OpenNib]:
    """Makes started clients of `server`, and closes them after the test."""
    opened: list[Nib] = []

    def open_one(name: str = "test", write_timeout_s: float = 5.0) -> Nib:
        nib = Nib(server.remote, name, write_timeout_s=write_timeout_s, sees_tokens=True)
        nib.start()
        opened.append(nib)
        return nib

    yield open_one
    for nib in opened:
        nib.close()


@pytest.fixture
def nib(open_nib: OpenNib) -> Nib:
    return open_nib()
