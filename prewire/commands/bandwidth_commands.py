"""Commands on what links can carry, through the REST server."""

from __future__ import annotations

from typing import Annotated, Any
from urllib.parse import quote

import typer

from nib.fields import check_text
from prewire.commands.command_options import (
    AnySwitch,
    Api,
    Form,
    Wait,
    bits_a_second,
    client,
    given,
    print_kind,
    waiting,
)
from prewire.commands.kinds import kind_called
from prewire.commands.show import Output

link_rate = typer.Typer(no_args_is_help=True, help="What ports can carry, where they do not say.")

Switch = Annotated[str, typer.Argument(help="Bridge name or datapath id.")]
Port = Annotated[str, typer.Argument(help="Port name or number.")]


def add(app: typer.Typer) -> None:
    """Add the commands."""
    app.add_typer(link_rate, name="link-rate")
    app.command()(bandwidth)


def bandwidth(switch: AnySwitch = None, api: Api = None, output: Form = Output.TABLE) -> None:
    """Show what leaves switches by each port: its rate, and what is guaranteed and free.

    By class: what is guaranteed in it, and what more could be.
    """
    found = client(api).call("GET", "/v1/bandwidth", params=given(switch=switch))
    print_kind(kind_called("bandwidth"), found, output)


@link_rate.command("list")
def list_link_rates(api: Api = None, output: Form = Output.TABLE) -> None:
    """List all rates that were stated."""
    _print(client(api).call("GET", "/v1/link-rates"), output)


@link_rate.command("set")
def set_link_rate(
    switch: Switch,
    port: Port,
    rate: Annotated[
        int,
        typer.Argument(parser=bits_a_second, metavar="RATE", help="As in 1G or 100M."),
    ],
    *,
    wait: Wait = False,
    api: Api = None,
    output: Form = Output.TABLE,
) -> None:
    """State what a port can carry outward; the port need not be there yet."""
    path = link_rate_path(switch, port)
    found = client(api).call("PUT", path, json={"bps": rate}, params=waiting(wait))
    _print(found, output)


@link_rate.command("delete")
def delete_link_rate(switch: Switch, port: Port, *, wait: Wait = False, api: Api = None) -> None:
    """Go by what the port says again."""
    client(api).call("DELETE", link_rate_path(switch, port), params=waiting(wait))


def link_rate_path(switch: str, port: str) -> str:
    """The path of a port's rate. FieldError for what cannot be a name."""
    parts = [check_text("switch", switch), check_text("port", port, 63)]
    return "/v1/link-rates/" + "/".join(quote(part, safe="") for part in parts)


def _print(found: Any, output: Output) -> None:
    print_kind(kind_called("link-rate"), found, output)
