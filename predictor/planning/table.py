"""State of many names as arrays: one row a name, grown by doubling, kept as bytes.

Must not know: what the columns mean.
"""

from __future__ import annotations

import io
import json
from collections.abc import Mapping, Sequence
from typing import Any, TypeAlias, cast

import numpy as np
from numpy.typing import NDArray

from predictor.series.window import Floats

Rows: TypeAlias = NDArray[np.intp]
Flags: TypeAlias = NDArray[np.bool_]
_FIRST = 16
_WIDE = 32


class Table:
    """Columns by name, each of shape [capacity, ...]; `rows` says which row is whose.

    Wide cells are kept in single precision: there is one of each for every name.
    columns: name -> (shape of a cell, what a new row holds).
    """

    def __init__(self, columns: Mapping[str, tuple[tuple[int, ...], float]]) -> None:
        self._columns = dict(columns)
        self._row_of: dict[str, int] = {}
        self._free: list[int] = []
        self._known: tuple[tuple[str, ...], Rows] | None = None
        self.data = {name: self._blank(name, _FIRST) for name in columns}

    def __len__(self) -> int:
        return len(self._row_of)

    def __getitem__(self, column: str) -> Floats:
        return self.data[column]

    def used(self) -> Rows:
        """The rows in use."""
        return np.fromiter(self._row_of.values(), np.intp, len(self._row_of))

    def rows(self, names: Sequence[str]) -> Rows:
        """The rows of these names; names that are new get one. The same tuple again is cheap."""
        names = tuple(names)
        if self._known is not None and (self._known[0] is names or self._known[0] == names):
            return self._known[1]
        for name in names:
            if name not in self._row_of:
                self._row_of[name] = self._new_row()
        rows = np.fromiter((self._row_of[name] for name in names), np.intp, len(names))
        self._known = (names, rows)
        return rows

    def row(self, name: str) -> int:
        """The row of a name that has one; KeyError else."""
        return self._row_of[name]

    def has(self, names: Sequence[str]) -> Flags:
        """Which of the names have a row."""
        return np.fromiter((name in self._row_of for name in names), np.bool_, len(names))

    def forget(self, names: Sequence[str]) -> None:
        """Their rows are free again; unknown names are no error."""
        self._known = None
        for name in names:
            row = self._row_of.pop(name, None)
            if row is not None:
                self._free.append(row)
                for column, (_, fill) in self._columns.items():
                    self.data[column][row] = fill

    def keep(self, names: Sequence[str]) -> None:
        """Forget all names but these."""
        gone = self._row_of.keys() - set(names)
        if gone:
            self.forget(tuple(gone))

    def save(self, more: Mapping[str, Floats], head: Mapping[str, Any]) -> bytes:
        """Everything, with other arrays and a head that JSON holds, as bytes for `load`."""
        used = self.used()
        text = json.dumps({"names": tuple(self._row_of), **head})
        arrays: dict[str, Any] = {f"column_{name}": a[used] for name, a in self.data.items()}
        arrays |= {f"more_{name}": array for name, array in more.items()}
        file = io.BytesIO()
        np.savez_compressed(file, head=np.frombuffer(text.encode(), np.uint8), **arrays)
        return file.getvalue()

    def load(
        self, data: bytes, expected: Mapping[str, Any]
    ) -> tuple[dict[str, Floats], dict[str, Any]]:
        """Take on what `save` gave; gives the other arrays and the head. ValueError where it is
        not so, or the head says otherwise than expected."""
        try:
            with np.load(io.BytesIO(data), allow_pickle=False) as file:
                arrays = {name: file[name] for name in file.files}
            head = json.loads(arrays.pop("head").tobytes())
            names = head.pop("names")
        except Exception as error:  # numpy, zip and JSON each raise their own
            raise ValueError(f"is no saved state: {error}") from error
        if not _are_names(names) or not all(map(_are_numbers, arrays.values())):
            raise ValueError("is no saved state: its names are no texts, or a column no numbers")
        other = {key: head.get(key) for key, value in expected.items() if head.get(key) != value}
        if other:
            raise ValueError(f"is a state of {other}, not of {dict(expected)}")
        columns = {name: arrays.pop(f"column_{name}", np.zeros(0)) for name in self._columns}
        for name, (shape, _) in self._columns.items():
            if columns[name].shape != (len(names), *shape):
                raise ValueError(f"saved column {name} has shape {columns[name].shape}")
        self._row_of = {}
        self._free = []
        self._known = None
        rows = self.rows(names)
        for name, array in columns.items():
            self.data[name][rows] = array
        return {name.removeprefix("more_"): array for name, array in arrays.items()}, head

    def _new_row(self) -> int:
        if self._free:
            return self._free.pop()
        row = len(self._row_of)
        capacity = len(next(iter(self.data.values())))
        if row >= capacity:
            for name, array in self.data.items():
                self.data[name] = np.concatenate([array, self._blank(name, capacity)])
        return row

    def _blank(self, column: str, rows: int) -> Floats:
        shape, fill = self._columns[column]
        wide = sum(shape) >= _WIDE
        return cast(Floats, np.full((rows, *shape), fill, np.float32 if wide else np.float64))


def _are_names(value: object) -> bool:
    """Whether these are texts, each given once."""
    if not isinstance(value, list) or not all(isinstance(each, str) for each in value):
        return False
    return len(set(value)) == len(value)


def _are_numbers(value: object) -> bool:
    """Whether this is an array of them; what a file holds under a strange name is bytes."""
    return isinstance(value, np.ndarray) and np.issubdtype(value.dtype, np.number)
