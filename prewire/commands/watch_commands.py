"""`prewire watch`: objects of a kind, and what changes of them, as it happens."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator, Mapping
from typing import Annotated, Any, Final

import typer

from prewire.commands import show
from prewire.commands.client import Client, Frame, RequestFailed
from prewire.commands.command_options import Api, Form, client, duration, time_option
from prewire.commands.get_commands import KindWord
from prewire.commands.kinds import Kind, kind_called
from prewire.commands.show import Output
from prewire.commands.watching import Change, Watched

_FIRST_PAUSE_S: Final = 0.5
_LONGEST_PAUSE_S: Final = 5.0
_MARKS: Final = {"put": "~", "delete": "-"}


def add(app: typer.Typer) -> None:
    """Add the command."""
    app.command()(watch)


def watch(
    kind: KindWord,
    name: Annotated[
        str, typer.Argument(metavar="NAME", help="Which, as in web or web/c1. [default: all]")
    ] = "",
    *,
    timeout: Annotated[
        float | None, time_option(duration, "End after so long, as in 30s. [default: never]")
    ] = None,
    api: Api = None,
    output: Form = Output.TABLE,
) -> None:
    """Show objects, and what changes of them.

    A line for each change until interrupted: ~ of an object that is new or differs, - of one that
    is gone. With -o json each is an object in a line.
    """
    meant = kind_called(kind)
    parts = meant.parts_of(name) if name else []
    until = None if timeout is None else time.monotonic() + timeout
    printer = _Lines(meant) if output is Output.TABLE else _Data(output)
    watched = Watched(meant, parts)
    try:
        for frame in _frames(client(api), meant, until):
            printer.show(watched.heard(frame.event, frame.data), is_first=not watched.is_whole)
            if frame.event == "ready":
                printer.begin(list(watched.objects.values()))
    except KeyboardInterrupt:
        return


def _frames(server: Client, kind: Kind, until: float | None) -> Iterator[Frame]:
    """Frames without an end: where a connection is lost, it is made again, and goes on where it
    was. RequestFailed where the first is refused, or the server refuses to go on."""
    last_id, pause = "", 0.0
    while True:
        query = {"kinds": kind.plural}
        if until is not None:
            left = until - time.monotonic()
            if left <= 0:
                return
            query["timeout"] = str(max(1, round(left)))
        try:
            for frame in server.events("/v1/watch", query, last_id):
                last_id, pause = frame.id or last_id, 0.0
                yield frame
        except RequestFailed as error:
            if error.status or not last_id:
                raise
            if not pause:
                show.complain(f"{error}; trying again")
        pause = min(pause * 2 or _FIRST_PAUSE_S, _LONGEST_PAUSE_S)
        threading.Event().wait(pause)


class _Lines:
    """For people: a table of what there is, then a line for each change, in its columns."""

    def __init__(self, kind: Kind) -> None:
        self._kind = kind
        self._widths: list[int] = []

    def begin(self, objects: list[Mapping[str, Any]]) -> None:
        """What there is at first; not again after a connection was lost."""
        if self._widths:
            return
        cells = [list(self._kind.columns), *map(self._cells, objects)]
        self._widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
        for each in cells:
            self._print(" ", each)

    def show(self, changes: list[Change], *, is_first: bool) -> None:
        for change in () if is_first else changes:
            self._print(_MARKS[change.event], self._cells(change.object))

    def _cells(self, item: Mapping[str, Any]) -> list[str]:
        row = self._kind.row(item)
        return [show.cell(row.get(key)) for key in self._kind.columns.values()]

    def _print(self, mark: str, cells: list[str]) -> None:
        padded = (cell.ljust(width) for cell, width in zip(cells, self._widths, strict=True))
        show.lines(f"{mark} {'  '.join(padded)}".rstrip())


class _Data:
    """For programs: each change as a JSON object in a line, or a YAML document."""

    def __init__(self, form: Output) -> None:
        self._form = form

    def begin(self, objects: list[Mapping[str, Any]]) -> None:
        """Nothing: what there was has been told."""

    def show(self, changes: list[Change], *, is_first: bool) -> None:
        del is_first
        for change in changes:
            told = {"event": change.event, "key": change.key, "object": dict(change.object)}
            if self._form is Output.JSON:
                show.lines(json.dumps(told))
            else:
                show.lines("---")
                show.as_yaml(told)
