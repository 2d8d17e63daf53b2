"""Commands on classes of traffic, through the REST server."""

from __future__ import annotations

from typing import Annotated

import typer

from nib.fields import check_name
from prewire.commands import columns
from prewire.commands.command_options import Api, Form, Wait, client, given, print_rows, waiting
from prewire.commands.show import Output

qos_class = typer.Typer(no_args_is_help=True, help="Classes of traffic: mark, queue and share.")


def add(app: typer.Typer) -> None:
    """Add the commands."""
    app.add_typer(qos_class, name="class")


Name = Annotated[str, typer.Argument(help="The class's name.")]


def class_path(name: str) -> str:
    """A class's path. FieldError for what is no name: it could lead to another path."""
    return f"/v1/classes/{check_name('name', name)}"


@qos_class.command("list")
def list_classes(api: Api = None, output: Form = Output.TABLE) -> None:
    """List all classes, built-in ones among them."""
    print_rows(client(api).call("GET", "/v1/classes"), output, columns.CLASS)


@qos_class.command("set")
def set_class(
    name: Name,
    *,
    dscp: Annotated[int | None, typer.Option(help="Its mark, 0-63; needed if new.")] = None,
    queue: Annotated[int | None, typer.Option(help="Its queue, 0-15; needed if new.")] = None,
    priority: Annotated[
        int | None, typer.Option(help="Of what a link has to spare, 0-7, 0 first. [default: 4]")
    ] = None,
    min_percent: Annotated[
        int | None, typer.Option(help="Of a link, what is kept for it. [default: 5]")
    ] = None,
    max_percent: Annotated[
        int | None, typer.Option(help="Of a link, at most. [default: 100]")
    ] = None,
    weight: Annotated[
        int | None, typer.Option(help="Of its policies, 1-100, where they share. [default: 1]")
    ] = None,
    wait: Wait = False,
    api: Api = None,
    output: Form = Output.TABLE,
) -> None:
    """Create or replace a class; what is left out of a built-in one stays as built in."""
    body = given(
        dscp=dscp,
        queue=queue,
        priority=priority,
        min_percent=min_percent,
        max_percent=max_percent,
        weight=weight,
    )
    found = client(api).call("PUT", class_path(name), json=body, params=waiting(wait))
    print_rows(found, output, columns.CLASS)


@qos_class.command("delete")
def delete_class(name: Name, *, wait: Wait = False, api: Api = None) -> None:
    """Delete a class that no policy is of; a built-in one is as built in again."""
    client(api).call("DELETE", class_path(name), params=waiting(wait))
