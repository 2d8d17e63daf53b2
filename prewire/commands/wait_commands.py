"""`prewire wait`: return when objects are applied, ready or gone."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from enum import StrEnum
from functools import partial
from typing import Annotated, Any, Final

import typer

from prewire.commands import progress, show
from prewire.commands.client import Client, RequestFailed
from prewire.commands.command_options import Api, client, duration, time_option
from prewire.commands.kinds import KINDS, Kind, Object, kind_called
from prewire.errors import TimeRanOut

_PACE_SECONDS: Final = 0.2
_NOT_FOUND: Final = 404


class Aim(StrEnum):
    """What is waited for."""

    APPLIED = "applied"
    READY = "ready"
    GONE = "gone"


def add(app: typer.Typer) -> None:
    """Add the command."""
    app.command()(wait)


def wait(
    what: Annotated[
        list[str],
        typer.Argument(metavar="KIND/NAME", help="As in service/web or container/web/c1."),
    ],
    *,
    aim: Annotated[
        Aim,
        typer.Option(
            "--for",
            help="applied: switches have acknowledged it; ready: it does what it is for; gone: "
            "there is no such object.",
        ),
    ] = Aim.READY,
    timeout: Annotated[float, time_option(duration, "At most so long, as in 30s or 5m.")] = "60s",  # type: ignore[assignment]  # read by its parser
    api: Api = None,
) -> None:
    """Return when objects are ready, applied or gone.

    Exit code 4 where that takes too long. An object that is not there yet is waited for too.
    """
    meant = [_meant(each, aim) for each in what]
    server = client(api)
    deadline = time.monotonic() + timeout
    with progress.busy("waiting") as tell:
        for kind, name in meant:
            _wait(partial(_lacks, server, kind, name, aim), deadline, tell)
    show.lines(*(f"{kind.name}/{name} {aim.value}" for kind, name in meant))


def _meant(text: str, aim: Aim) -> tuple[Kind, str]:
    """A kind and a whole name. Wrong usage otherwise."""
    word, _, name = text.partition("/")
    kind = kind_called(word)
    if len(kind.parts_of(name)) < len(kind.key):
        raise typer.BadParameter(f"{text!r} names no object; write {kind.name}/{kind.spelling}")
    if aim is Aim.READY and kind.ready is None:
        known = ", ".join(each.plural for each in KINDS if each.ready is not None)
        raise typer.BadParameter(
            f"nothing tells when {kind.plural} are ready; it is told of {known}"
        )
    return kind, name


def _wait(lacks: Callable[[], str], deadline: float, tell: Callable[[str], None]) -> None:
    """Until nothing is lacking. TimeRanOut says what was."""
    never = threading.Event()
    while lacking := lacks():
        tell(lacking)
        left = deadline - time.monotonic()
        if left <= 0:
            raise TimeRanOut(f"{lacking}; see to that, or give it longer with --timeout")
        never.wait(min(_PACE_SECONDS, left))


def _lacks(server: Client, kind: Kind, name: str, aim: Aim) -> str:
    """What is not as it is to be; empty where nothing is."""
    found = _found(server, kind, name)
    called = f"{kind.name} {name}"
    if aim is Aim.GONE:
        return "" if found is None else f"{called}: it is still there"
    if found is None:
        return f"{called}: there is none"
    if aim is Aim.APPLIED:
        return _behind(server, called, found.get("generation") or 0)
    return "" if kind.ready is None or kind.ready(found) else f"{called}: not ready{_why(found)}"


def _found(server: Client, kind: Kind, name: str) -> Object | None:
    """The object, None where there is none. RequestFailed where that cannot be told."""
    if not kind.alone:
        return _listed(server, kind, name)
    parts = kind.parts_of(name)
    try:
        answer: Object = server.call("GET", kind.path_of(parts))
    except RequestFailed as error:
        if error.status != _NOT_FOUND:
            raise
        return None
    return answer


def _listed(server: Client, kind: Kind, name: str) -> Object | None:
    parts = kind.parts_of(name)
    items = kind.flatten(server.call("GET", kind.list_path))
    return next((each for each in items if kind.is_meant(each, parts)), None)


def _behind(server: Client, called: str, generation: int) -> str:
    """The switches that have not acknowledged a generation, as a sentence."""
    status: Any = server.call("GET", "/v1/status")
    late = [
        each["name"] or each["dpid"] for each in status["switches"] if each["applied"] < generation
    ]
    return f"{called}: not acknowledged by {', '.join(late)}" if late else ""


def _why(found: Object) -> str:
    """What the object says of itself."""
    told = [str(found[key]) for key in ("state", "reason", "problem") if found.get(key)]
    return f" ({': '.join(told)})" if told else ""
