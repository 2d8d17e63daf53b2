"""A file of samples: an SQLite database with a block of samples a row.

A block has some steps of each name, by the name's number: single precision, rounded to one part in
two thousand, compressed. One process at a time has the file.

Must not know: what is loaded, when to save. To be used in one thread at a time.
"""

from __future__ import annotations

import sqlite3
import zlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from predictor.series.window import Floats, Window

_VERSION: Final = 1
_SCHEMA: Final = (
    "CREATE TABLE IF NOT EXISTS names (name TEXT PRIMARY KEY, number INTEGER, seen_ms INTEGER)",
    "CREATE TABLE IF NOT EXISTS blocks (kind TEXT, step_ms INTEGER, first INTEGER, steps INTEGER,"
    " data BLOB, PRIMARY KEY (kind, step_ms, first))",
)
_CORRUPT: Final = (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB)
_WAIT_S: Final = 2.0
_KEPT_BITS: Final = np.uint32(0xFFFF_F000)  # of a single's 23 bits of fraction, 11
_SEEN_EVERY_MS: Final = 3_600_000


class HistoryError(Exception):
    """The file cannot be used; the text says why and what to do."""


class HistoryCorrupt(Exception):
    """What the file has is no history of this version."""


class HistoryFile:
    """Blocks of samples by kind, length of step and number of the first step since 1970.

    Its methods raise HistoryError (disk full, say) and HistoryCorrupt.
    """

    def __init__(self, path: Path) -> None:
        """Opens it, or makes it."""
        self._path = path
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            self._db = sqlite3.connect(
                path, timeout=_WAIT_S, isolation_level=None, check_same_thread=False
            )
        except (OSError, sqlite3.Error) as error:
            raise HistoryError(f"{path}: {error}; give a path that can be written") from None
        self._numbers: dict[str, int] = {}
        self._seen: dict[str, int] = {}
        try:
            self._open()
        except BaseException:
            self._db.close()
            raise

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """What is written in it is stored as one, or nothing of it."""
        self._run("BEGIN IMMEDIATE")
        try:
            yield
            self._run("COMMIT")
        except BaseException:
            if self._db.in_transaction:
                self._run("ROLLBACK")
            self._read_names()
            raise

    def names(self, since_ms: int = 0) -> tuple[str, ...]:
        """Names that were written after this time, or less than an hour before it."""
        least = since_ms - _SEEN_EVERY_MS
        return tuple(name for name, seen_ms in self._seen.items() if seen_ms >= least)

    def write(self, kind: str, window: Window, now_ms: int) -> None:
        """A block. One there that begins with the same step is replaced."""
        numbers = self._number(window.names, now_ms)
        height = int(numbers.max()) + 1 if numbers.size else 0
        block = np.full((height, window.steps), np.nan, dtype=np.float32)
        block[numbers] = window.values
        data = zlib.compress((block.view(np.uint32) & _KEPT_BITS).tobytes(), 1)
        step_ms = round(window.step_s * 1000)
        first = window.end_ms // step_ms - window.steps
        self._run(
            "INSERT OR REPLACE INTO blocks VALUES (?, ?, ?, ?, ?)",
            *(kind, step_ms, first, window.steps, data),
        )

    def read(
        self, kind: str, step_ms: int, first: int, end: int, names: Sequence[str]
    ) -> Iterator[tuple[int, Floats]]:
        """Blocks that begin in [first, end): first step, and values by name. A damaged one is left
        out."""
        numbers = np.array([self._numbers.get(name, -1) for name in names], dtype=np.intp)
        rows = self._run(
            "SELECT first, steps, data FROM blocks"
            " WHERE kind = ? AND step_ms = ? AND first >= ? AND first < ? ORDER BY first",
            *(kind, step_ms, first, end),
        )
        for begin, steps, data in rows:
            block = _block(data, steps)
            if block is not None:
                values = np.full((len(names), steps), np.nan)
                there = (numbers >= 0) & (numbers < block.shape[0])
                values[there] = block[numbers[there]]
                yield int(begin), values

    def end(self, kind: str, step_ms: int) -> int | None:
        """The step after the youngest block; None: there is none."""
        return self._number_in(
            "SELECT max(first + steps) FROM blocks WHERE kind = ? AND step_ms = ?", kind, step_ms
        )

    def begin(self, kind: str, step_ms: int) -> int | None:
        """The first step of the oldest block; None: there is none."""
        return self._number_in(
            "SELECT min(first) FROM blocks WHERE kind = ? AND step_ms = ?", kind, step_ms
        )

    def prune(self, step_ms: int, oldest: int, youngest: int) -> None:
        """Only blocks that begin with these steps, or between them, are left."""
        self._run(
            "DELETE FROM blocks WHERE step_ms = ? AND (first < ? OR first > ?)",
            *(step_ms, oldest, youngest),
        )

    def forget_names(self, before_ms: int) -> None:
        """Names that were not written since then are gone; others may have their numbers."""
        self._run("DELETE FROM names WHERE seen_ms < ?", before_ms - _SEEN_EVERY_MS)
        self._read_names()

    def bytes_used(self) -> int:
        """How large it is, but for what was pruned."""
        pages, free, size = (
            self._number_in(f"PRAGMA {what}") or 0
            for what in ("page_count", "freelist_count", "page_size")
        )
        return (pages - free) * size

    def close(self) -> None:
        """Close it."""
        self._db.close()

    def _open(self) -> None:
        self._run("PRAGMA locking_mode = EXCLUSIVE")
        self._run("PRAGMA journal_mode = WAL")
        self._run("PRAGMA synchronous = NORMAL")
        version = self._number_in("PRAGMA user_version")
        if version not in (0, _VERSION):
            raise HistoryCorrupt(f"it has version {version}, not {_VERSION}")
        with self.transaction():
            for statement in _SCHEMA:
                self._run(statement)
            self._run(f"PRAGMA user_version = {_VERSION}")
        self._read_names()

    def _read_names(self) -> None:
        rows = self._run("SELECT name, number, seen_ms FROM names ORDER BY number")
        self._numbers = {name: number for name, number, _ in rows}
        self._seen = {name: seen_ms for name, _, seen_ms in rows}

    def _number(self, names: Sequence[str], now_ms: int) -> NDArray[np.intp]:
        """The names' numbers; new ones get the smallest that are free."""
        new = [name for name in names if name not in self._numbers]
        used = set(self._numbers.values()) if new else set()
        free = (number for number in range(len(used) + len(new)) if number not in used)
        self._numbers.update(zip(new, free, strict=False))
        for name in names:
            if abs(now_ms - self._seen.get(name, 0)) > _SEEN_EVERY_MS:
                self._seen[name] = now_ms
                number = self._numbers[name]
                self._run("INSERT OR REPLACE INTO names VALUES (?, ?, ?)", name, number, now_ms)
        return np.array([self._numbers[name] for name in names], dtype=np.intp)

    def _number_in(self, statement: str, *values: object) -> int | None:
        """The one number that a statement gives."""
        ((number,),) = self._run(statement, *values)
        return None if number is None else int(number)

    def _run(self, statement: str, *values: object) -> list[tuple[Any, ...]]:
        try:
            return self._db.execute(statement, values).fetchall()
        except sqlite3.Error as error:
            if getattr(error, "sqlite_errorcode", 0) & 0xFF in _CORRUPT:
                raise HistoryCorrupt(str(error)) from None
            raise HistoryError(f"{self._path}: {error}; {_remedy(error)}") from None


def _remedy(error: sqlite3.Error) -> str:
    if getattr(error, "sqlite_errorcode", 0) & 0xFF in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED):
        return "another process has it: give each predictor a file of its own"
    return "see that there is room, and that it can be written"


def _block(data: bytes, steps: int) -> NDArray[np.float32] | None:
    """Values by name's number; None: it is damaged."""
    try:
        return np.frombuffer(zlib.decompress(data), dtype=np.float32).reshape(-1, steps)
    except (zlib.error, ValueError, TypeError):
        return None
