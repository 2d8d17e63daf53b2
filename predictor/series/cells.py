"""Lines and cells of CSV files; what is wrong is said with file, line, column and remedy.

Must not know: which columns there are.
"""

from __future__ import annotations

import csv
import gzip
import io
import math
import zlib
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import TypeAlias

Line: TypeAlias = tuple[int, list[str]]  # its number, its cells


class InputError(Exception):
    """Data that make no sense; the text says where and what to do."""


def lines(path: Path) -> Iterator[Line]:
    """Lines with their numbers, but for empty ones. Raises InputError."""
    try:
        with path.open("rb") as raw:
            data = gzip.GzipFile(fileobj=raw) if path.suffix == ".gz" else raw
            with io.TextIOWrapper(data, encoding="utf-8-sig", newline="") as text:
                reader = csv.reader(text)
                for cells in reader:
                    if any(cell.strip() for cell in cells):
                        yield reader.line_num, cells
    except FileNotFoundError:
        raise InputError(f"{path}: there is no such file; correct the path") from None
    except (OSError, EOFError, zlib.error) as error:
        raise InputError(f"{path}: cannot be read ({error}); see that it is whole") from None
    except UnicodeDecodeError as error:
        raise InputError(f"{path}: is no text ({error.reason}); give CSV in UTF-8") from None
    except csv.Error as error:
        raise InputError(f"{path}: is no CSV ({error}); separate cells by commas") from None


def count_of(path: Path, number: int, column: int, cell: str) -> float:
    """A count; NaN: the cell is empty, or says so. Raises InputError."""
    if not cell.strip():
        return math.nan
    try:
        value = float(cell)
    except ValueError:
        value = -1.0
    if value < 0 or math.isinf(value):
        raise InputError(
            f"{path}:{number}: column {column}: {cell.strip()[:40]!r} is no count; "
            "give a number of at least 0, or nothing where it is not known"
        )
    return value


def time_of(path: Path, number: int, column: int, cell: str) -> float:
    """Seconds; a moment of no time zone is in UTC. Raises InputError."""
    try:
        value = float(cell)
    except ValueError:
        value = _moment(cell)
    if not math.isfinite(value) or abs(value) > 1e11:
        raise InputError(
            f"{path}:{number}: column {column}: {cell.strip()[:40]!r} is no time; give seconds, "
            "or a date and time as in 2026-01-31T08:00:00Z"
        )
    return value


def _moment(cell: str) -> float:
    try:
        moment = datetime.fromisoformat(cell.strip())
    except ValueError:
        return math.nan
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()


def is_number(cell: str) -> bool:
    """Whether a cell is one that is finite."""
    try:
        return math.isfinite(float(cell))
    except ValueError:
        return False


def check_width(path: Path, number: int, cells: Sequence[str], width: int) -> None:
    """As many cells as the header has. Raises InputError."""
    if len(cells) != width:
        raise InputError(
            f"{path}:{number}: has {len(cells)} cells where the header has {width}; "
            "give each line as many, empty ones too"
        )
