"""The command `top`: what goes on now, as the REST server reads it from the controllers.

Must not know: where readings come from, how tables look.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from contextlib import suppress
from typing import Annotated, Any, Final

import typer
from rich.console import Console
from rich.live import Live

from prewire.commands import show, top_view
from prewire.commands.client import Client
from prewire.commands.command_options import Api, Form, client
from prewire.commands.show import Output

_DEFAULT: Final = ("services", "policies", "links")
_PACE_S: Final = 0.5  # of asking until rates are known
_PATIENCE: Final = 30  # times of it
_STATED: Final = frozenset({"rate_bps", "guaranteed_bps", "free_bps", "limit_bps", "max_bps"})
_WIDE: Final = 200  # columns where it is no terminal


def add(app: typer.Typer) -> None:
    """Add the command."""
    app.command()(top)


def top(
    kinds: Annotated[
        list[str] | None,
        typer.Argument(
            help=f"Of {', '.join(top_view.SECTIONS)}. [default: {', '.join(_DEFAULT)}]",
            show_default=False,
        ),
    ] = None,
    *,
    interval: Annotated[
        float, typer.Option(min=0.5, max=3600, help="Seconds between two looks.")
    ] = 2.0,
    once: Annotated[
        bool, typer.Option("--once", help="Print once, when rates are known, and end.")
    ] = False,
    api: Api = None,
    output: Form = Output.TABLE,
) -> None:
    """Show what goes on now until interrupted: the busiest services, policies and ports.

    Rates are between the last two readings of switches (`stats_seconds`). With -o json and without
    --once there is an object a look.
    """
    asked = _kinds(kinds)
    server = client(api)
    if once:
        found = _settled(server, asked)
        if not show.as_data(found, output):
            console = Console()
            wide = console if console.is_terminal else Console(width=_WIDE)
            wide.print(_view(server, found, None))
        return
    with suppress(KeyboardInterrupt):  # that is how it ends
        if output is Output.TABLE:
            _live(server, asked, interval)
        else:
            _each(server, asked, interval, output)


def _live(server: Client, kinds: str, interval: float) -> None:
    console = Console()
    with Live(console=console, screen=console.is_terminal, auto_refresh=False) as live:
        while True:
            found = _read(server, kinds)
            live.update(_view(server, found, console.size.height), refresh=True)
            time.sleep(interval)


def _each(server: Client, kinds: str, interval: float, output: Output) -> None:
    while True:
        show.as_data(_read(server, kinds), output)
        time.sleep(interval)


def _kinds(given: list[str] | None) -> str:
    for kind in given or ():
        if kind not in top_view.SECTIONS:
            known = ", ".join(top_view.SECTIONS)
            raise typer.BadParameter(f"{kind!r} is none of {known}")
    return ",".join(given or _DEFAULT)


def _read(server: Client, kinds: str) -> Any:
    return server.call("GET", "/v1/readings", params={"kinds": kinds})


def _settled(server: Client, kinds: str) -> Any:
    """Readings with rates, as soon as there are; what there is, if they do not come, or no switch
    is read at all."""
    if not _read(server, "links")["links"]:
        return _read(server, kinds)
    found = _read(server, kinds)
    for _ in range(_PATIENCE):
        if found["stale"] or _has_rates(found):
            return found
        time.sleep(_PACE_S)
        found = _read(server, kinds)
    return found


def _has_rates(found: Mapping[str, Any]) -> bool:
    """Whether any rate of any row is known, or there is no row that could have one."""
    rows = [row for kind in top_view.SECTIONS for row in found.get(kind) or ()]
    rates = [value for row in rows for name, value in row.items() if _is_rate(name)]
    return not rates or any(value is not None for value in rates)


def _is_rate(name: str) -> bool:
    """Of what is counted; other rates are stated."""
    return name not in _STATED and name.endswith(("bps", "pps", "_per_s"))


def _view(server: Client, found: Any, room: int | None) -> Any:
    switches = server.call("GET", "/v1/switches")["items"] if found.get("links") else []
    names = {each["dpid"]: each["name"] for each in switches if each["name"]}
    plans: dict[str, float] = {}
    if found.get("services"):
        told = server.call("GET", "/v1/plans").get("services", ())
        plans = {each["service"]: each["containers"] for each in told if each["valid"]}
    return top_view.view(found, names, plans, room)
