"""Users' own data for back-tests and replays: counts per step, arrival times, a Prometheus query.

Files are CSV, compressed where their names end in .gz. What is wrong is said with file, line,
column and remedy.

Must not know: what the data are used for.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final

import numpy as np

from predictor.series.cells import (
    InputError,
    Line,
    check_width,
    count_of,
    is_number,
    lines,
    time_of,
)
from predictor.series.queries import PrometheusError, RangeQueries
from predictor.series.window import Floats, Window

__all__ = ["InputError", "read_arrivals", "read_counts", "read_prometheus"]

_NAMES: Final = ("name", "service", "series")
_TIMES: Final = (
    *("time", "timestamp", "unix_timestamp", "seconds", "arrival", "arrival_s", "period", "t"),
)
_COUNTS: Final = ("count", "value", "requests", "invocations")
_FIRST: Final = re.compile(r"([^0-9]*)([01])")
_MOST_STEPS: Final = 2_000_000
_MOST_CELLS: Final = 250_000_000  # names x steps: 2 GB

Sample = tuple[str, float, float]  # of a series, at a time (seconds), a count or NaN


def read_counts(path: Path, step_s: float = 60.0) -> Window:
    """Counts per step of each series; NaN where a cell is empty or a time is not there.

    By its header a file is wide (a line a series: its name, and from a column as m1, t1, 1 or 0 on
    a count for each step), long (a line a sample: time, count, and name where there are several
    series), or by columns (a line a time, and a column a series). Times are seconds or ISO 8601.
    Counts of one name and step are added. Raises InputError.
    """
    found = lines(path)
    number, header = next(found, (1, []))
    if not header:
        raise InputError(f"{path}: is empty; give a CSV file with a header")
    names = [cell.strip().lower() for cell in header]
    time, count = _column(names, _TIMES), _column(names, _COUNTS)
    if time is not None and count is not None:
        samples = _long(path, found, (time, count, _column(names, _NAMES)), len(header))
        return _by_step(path, samples, step_s)
    if time == 0 and len(header) > 1:
        return _by_step(path, _columns(path, found, header), step_s)
    first = _first_step(names)
    if first is None:
        raise InputError(
            f"{path}:{number}: has neither columns time and count, nor times first, nor "
            f"a first step such as m1, but {', '.join(header[:6])}; name the columns so"
        )
    return _wide(path, found, first, len(header), step_s)


def read_arrivals(path: Path) -> dict[str, Floats]:
    """When requests arrived, in seconds since any time: by service, sorted.

    Columns: a time (seconds, time, timestamp, arrival or t), and a name or not; a file without a
    header has times only. Without names the service is called as the file. Raises InputError.
    """
    rest = lines(path)
    number, header = next(rest, (1, []))
    if not header:
        raise InputError(f"{path}: is empty; give a CSV file of times in seconds")
    names = [cell.strip().lower() for cell in header]
    time, name = _column(names, _TIMES), _column(names, _NAMES)
    found: dict[str, list[float]] = {}
    if time is None and len(header) == 1 and is_number(header[0]):
        time, found[_stem(path)] = 0, [time_of(path, number, 1, header[0])]
    if time is None:
        raise InputError(
            f"{path}:{number}: no column is a time, but {', '.join(header[:6])}; "
            "call it `seconds`, and that of services `name`"
        )
    for number, cells in rest:
        check_width(path, number, cells, len(header))
        service = _stem(path) if name is None else cells[name].strip()
        found.setdefault(service, []).append(time_of(path, number, time + 1, cells[time]))
    if not found:
        raise InputError(f"{path}: has a header and no arrival; give a line for each")
    return {service: np.sort(np.array(times)) for service, times in found.items()}


async def read_prometheus(
    url: str,
    query: str,
    start_ms: int,
    end_ms: int,
    *,
    step_s: float = 60.0,
    label: str | None = None,
) -> Window:
    """What a query gives in each step; series named by this label. Raises InputError."""
    try:
        window = await RangeQueries(url).range(query, start_ms, end_ms, step_s, label)
    except PrometheusError as error:
        raise InputError(str(error)) from None
    if not window.names:
        raise InputError(f"{url}: {query}: there is no such series in this time; see the query")
    return window


def _wide(path: Path, rest: Iterator[Line], first: int, width: int, step_s: float) -> Window:
    rows: dict[str, Floats] = {}
    for number, cells in rest:
        check_width(path, number, cells, width)
        name = cells[0].strip() if first else f"series {len(rows) + 1}"
        row = _row(path, number, first, cells[first:])
        rows[name] = row if name not in rows else _added(rows[name], row)
        _check_size(path, len(rows), width - first)
    if not rows:
        raise InputError(f"{path}: has a header and no series; give a line for each")
    end_ms = round((width - first) * step_s * 1000)
    return Window(tuple(rows), step_s, end_ms, np.array(list(rows.values())))


def _long(
    path: Path, rest: Iterator[Line], columns: tuple[int, int, int | None], width: int
) -> Iterator[Sample]:
    """columns: of time, count and name."""
    time, count, name = columns
    for number, cells in rest:
        check_width(path, number, cells, width)
        yield (
            _stem(path) if name is None else cells[name].strip(),
            time_of(path, number, time + 1, cells[time]),
            count_of(path, number, count + 1, cells[count]),
        )


def _columns(path: Path, rest: Iterator[Line], header: Sequence[str]) -> Iterator[Sample]:
    for number, cells in rest:
        check_width(path, number, cells, len(header))
        time = time_of(path, number, 1, cells[0])
        for column, cell in enumerate(cells[1:], 2):
            yield header[column - 1].strip(), time, count_of(path, number, column, cell)


def _by_step(path: Path, samples: Iterator[Sample], step_s: float) -> Window:
    rows: dict[str, int] = {}
    places, steps, counts = [], [], []
    for name, time, count in samples:
        places.append(rows.setdefault(name, len(rows)))
        steps.append(math.floor(time / step_s))
        counts.append(count)
    if not rows:
        raise InputError(f"{path}: has a header and no sample; give a line for each")
    first, end = min(steps), max(steps) + 1
    if end - first > _MOST_STEPS:
        raise InputError(
            f"{path}: times span {end - first} steps of {step_s:g} s; correct them, or give longer "
            "steps"
        )
    _check_size(path, len(rows), end - first)
    values = np.full((len(rows), end - first), np.nan)
    known = ~np.isnan(counts)
    at = np.array(places)[known], np.array(steps)[known] - first
    values[at] = 0.0
    np.add.at(values, at, np.array(counts)[known])
    return Window(tuple(rows), step_s, round(end * step_s * 1000), values)


def _column(names: Sequence[str], wanted: Sequence[str]) -> int | None:
    """Of the first of these words that a column is called."""
    return next((names.index(word) for word in wanted if word in names), None)


def _first_step(names: Sequence[str]) -> int | None:
    """The column of the first step: called 1 or 0, after letters or not, and the next one more."""
    for column, name in enumerate(names):
        match = _FIRST.fullmatch(name)
        if match is not None:
            following = f"{match[1]}{int(match[2]) + 1}"
            if names[column + 1 : column + 2] in ([], [following]):
                return column
    return None


def _row(path: Path, number: int, first: int, cells: Sequence[str]) -> Floats:
    """The counts of a wide line."""
    try:
        row = np.array([float(cell) if cell else np.nan for cell in cells])
    except ValueError:
        row = np.array([-1.0])
    if not (row < 0).any() and not np.isinf(row).any():
        return row
    return np.array([count_of(path, number, first + at, cell) for at, cell in enumerate(cells, 1)])


def _stem(path: Path) -> str:
    return path.name.removesuffix(".gz").removesuffix(".csv")


def _added(one: Floats, other: Floats) -> Floats:
    return np.where(np.isnan(one), other, one + np.nan_to_num(other))


def _check_size(path: Path, rows: int, steps: int) -> None:
    if rows * steps > _MOST_CELLS:
        raise InputError(
            f"{path}: more than {_MOST_CELLS:,} counts; give fewer series, or longer steps"
        )
