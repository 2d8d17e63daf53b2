"""What commands on objects share: options, paths of objects, and how answers are printed.

Must not know: which commands there are.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Annotated, Any, Final

import typer

from nib.errors import FieldError
from nib.fields import check_name
from nib.rates import read_rate
from prewire import settings
from prewire.commands import show
from prewire.commands.client import Client
from prewire.commands.kinds import Kind
from prewire.commands.show import Output

_NUMBER: Final = re.compile(r"[0-9]{1,20}")

Api = Annotated[
    str | None, typer.Option("--api", envvar="PREWIRE_API", help="The REST server's URL.")
]
Form = Annotated[Output, typer.Option("--output", "-o", help="How to print.")]
Wait = Annotated[bool, typer.Option("--wait", help="Return when every switch has acknowledged.")]
Name = Annotated[str, typer.Argument(help="The service's name.")]
Id = Annotated[str, typer.Argument(help="The container's id.")]
MaxConnections = Annotated[int | None, typer.Option(help="Connections at a time, at most.")]
AnySwitch = Annotated[
    str | None, typer.Option("--switch", help="Datapath id or bridge name. [default: all]")
]

DIFFERENCES: Final = 3  # exit code of a command that found some

NO_SWITCH: Final = "no switch has connected: ovs-vsctl set-controller BRIDGE tcp:CONTROLLER:6653"


def client(api: str | None) -> Client:
    """The REST server that is meant."""
    given = settings.load()
    return Client(api or given.api_url, given.tls_files, given=given)


def service_path(name: str) -> str:
    """A service's path. FieldError for what is no name: it could lead to another path."""
    return f"/v1/services/{check_name('name', name)}"


def container_path(name: str, container_id: str) -> str:
    """A container's path. FieldError likewise."""
    return f"{service_path(name)}/containers/{check_name('id', container_id)}"


def waiting(wait: bool) -> dict[str, str]:
    """The query of a write."""
    return {"wait": "applied"} if wait else {}


def given(**values: Any) -> dict[str, Any]:
    """Those that were given."""
    return {name: value for name, value in values.items() if value is not None}


def duration(text: str) -> float:
    """Seconds from text as in 500ms, 60s or 2m; wrong usage for other text."""
    from gateway_lb.lifecycle import parse_duration  # noqa: PLC0415 - loads much, few need it

    try:
        return parse_duration(text)
    except FieldError as error:
        raise typer.BadParameter(f"{error.message}; {error.remedy}") from None


def milliseconds(text: str) -> int:
    """Whole milliseconds, likewise."""
    return round(duration(text) * 1000)


def whole_seconds(text: str) -> int:
    """Whole seconds, likewise; a fraction of one is wrong usage too."""
    seconds = duration(text)
    if seconds != int(seconds):
        raise typer.BadParameter(f"{seconds:g} s is no whole number of seconds")
    return int(seconds)


def time_option(parser: Callable[[str], float], meaning: str) -> Any:
    """An option that takes a duration; parser: one of the three above."""
    return typer.Option(parser=parser, metavar="TIME", help=meaning)


def bits_a_second(text: str) -> int:
    """A rate from text as in 10M, 1.5Gbps or 10000000; wrong usage for other text."""
    try:
        return read_rate(int(text) if _NUMBER.fullmatch(text) else text)
    except ValueError as error:
        raise typer.BadParameter(str(error)) from None


def rate_option(name: str, meaning: str) -> Any:
    """An option of this name that takes a rate."""
    return typer.Option(name, parser=bits_a_second, metavar="RATE", help=meaning)


def print_rows(value: Any, form: Output, columns: Mapping[str, str]) -> None:
    """One object, or the items of a list."""
    if not show.as_data(value, form):
        show.rows(columns, value.get("items", [value]))


def print_kind(kind: Kind, value: Any, form: Output) -> None:
    """One object of a kind, or the items of a list, as its table shows them."""
    if not show.as_data(value, form):
        show.rows(kind.columns, [kind.row(each) for each in value.get("items", [value])])
