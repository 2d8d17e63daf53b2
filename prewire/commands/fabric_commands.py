"""Commands on the fabric, through the REST server: links, stations, the picture, taking over."""

from __future__ import annotations

from typing import Annotated

import typer

from nib.fields import check_database, check_mac
from prewire.commands import drawing, show
from prewire.commands.command_options import (
    NO_SWITCH,
    AnySwitch,
    Api,
    Form,
    client,
    given,
    print_kind,
)
from prewire.commands.kinds import kind_called
from prewire.commands.show import Output

host = typer.Typer(no_args_is_help=True, help="Hosts that were heard at edge ports.")


def add(app: typer.Typer) -> None:
    """Add the commands."""
    app.add_typer(host, name="host")
    for command in (links, hosts, topology, adopt):
        app.command()(command)


def links(switch: AnySwitch = None, api: Api = None, output: Form = Output.TABLE) -> None:
    """List the links between switches: both ends, capacity, and why one carries nothing."""
    found = client(api).call("GET", "/v1/links", params=given(switch=switch))
    print_kind(kind_called("link"), found, output)


def hosts(switch: AnySwitch = None, api: Api = None, output: Form = Output.TABLE) -> None:
    """List all stations: containers, what interfaces name, and hosts that were heard."""
    found = client(api).call("GET", "/v1/hosts", params=given(switch=switch))
    print_kind(kind_called("host"), found, output)


def topology(
    *,
    dot: Annotated[bool, typer.Option("--dot", help="Print a graph for Graphviz.")] = False,
    api: Api = None,
    output: Form = Output.TABLE,
) -> None:
    """Show the fabric: switches in layers, the links between them, and what is wrong with them."""
    found = client(api).call("GET", "/v1/topology")
    if dot:
        show.lines(*drawing.as_dot(found))
    elif show.as_data(found, output):
        return
    elif found["switches"]:
        show.lines(*drawing.as_text(found))
    else:
        show.lines(NO_SWITCH)


def adopt(
    database: Annotated[
        str | None,
        typer.Argument(help="Its 8 hex digits, as a switch's problem has them. [default: show]"),
    ] = None,
    api: Api = None,
    output: Form = Output.TABLE,
) -> None:
    """Let this database take over the network that another one programmed."""
    server = client(api)
    if database is None:
        found = server.call("GET", "/v1/adopt")
    else:
        body = {"database": check_database("database", database)}
        found = server.call("POST", "/v1/adopt", json=body)
    if not show.as_data(found, output):
        others = ", ".join(found["predecessors"]) or "no other"
        show.lines(f"database {found['database']} takes over the network of: {others}")


@host.command("forget")
def forget_host(
    mac: Annotated[str, typer.Argument(help="Its MAC address.")], api: Api = None
) -> None:
    """Forget where a host was heard; it is learned anew when it speaks."""
    client(api).call("DELETE", f"/v1/hosts/{check_mac('mac', mac)}")
