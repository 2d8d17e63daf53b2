"""`prewire token`: who may use the REST server."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, Any, Final

import typer

from nib.fields import check_name
from nib.times import read_duration, show_instant
from prewire.commands import show
from prewire.commands.command_options import Api, Form, client, given, time_option
from prewire.commands.show import Output

_COLUMNS: Final = {
    "NAME": "name",
    "ROLE": "role",
    "SERVICES": "services",
    "SUBJECT": "subject",
    "EXPIRES": "expires",
    "CREATED BY": "created_by",
}

tokens = typer.Typer(no_args_is_help=True, help="Tokens: who may use the REST server.")


class Role(StrEnum):
    """What somebody may do."""

    VIEWER = "viewer"
    REGISTRAR = "registrar"
    OPERATOR = "operator"


def _lifetime(text: str) -> int:
    """Whole seconds from text; wrong usage for other text."""
    try:
        return round(read_duration(text))
    except ValueError as error:
        raise typer.BadParameter(str(error)) from None


TokenName = Annotated[str, typer.Argument(help="The token's name: who has it.")]
OfRole = Annotated[
    Role, typer.Option(help="viewer reads; registrar registers containers; operator does all.")
]
Services = Annotated[
    list[str] | None, typer.Option("--service", help="A service of a registrar; may be repeated.")
]
Subject = Annotated[
    str | None,
    typer.Option(help="Known by this instead of a secret: cert:CN of a certificate, or oidc:SUB."),
]
Expires = Annotated[int | None, time_option(_lifetime, "Ends so long from now, as in 90m or 30d.")]
Rotate = Annotated[bool, typer.Option("--rotate", help="Make a new secret; the old one ends.")]


def add(app: typer.Typer) -> None:
    """Add the commands."""
    app.add_typer(tokens, name="token")


@tokens.command("create")
def create(
    name: TokenName,
    *,
    role: OfRole,
    service: Services = None,
    subject: Subject = None,
    expires: Expires = None,
    rotate: Rotate = False,
    api: Api = None,
    output: Form = Output.TABLE,
) -> None:
    """Make a token, or change what one may do. A new secret is printed, this once, alone on
    standard output."""
    body = given(role=role.value, services=service, subject=subject, expires_seconds=expires)
    params = {"rotate": "true"} if rotate else {}
    made = client(api).call("PUT", _path(name), json=body, params=params)
    if show.as_data(made, output):
        return
    if made["secret"]:
        show.lines(made["secret"])
    else:
        known = f"known by {made['subject']}" if made["subject"] else "its secret is as it was"
        show.lines(f"{made['name']}: {made['role']}, {known}")


@tokens.command("list")
def list_tokens(api: Api = None, output: Form = Output.TABLE) -> None:
    """List all tokens; nobody can show their secrets."""
    found = client(api).call("GET", "/v1/tokens")
    if not show.as_data(found, output):
        show.rows(_COLUMNS, [_row(each) for each in found["items"]])


@tokens.command("delete")
def delete(name: TokenName, api: Api = None) -> None:
    """Delete a token; who has it is refused from now on."""
    client(api).call("DELETE", _path(name))


def _path(name: str) -> str:
    return f"/v1/tokens/{check_name('name', name)}"


def _row(token: dict[str, Any]) -> dict[str, Any]:
    return {
        **token,
        "services": " ".join(token["services"]),
        "expires": _expires(token),
    }


def _expires(token: dict[str, Any]) -> str:
    if token["expires_ms"] is None:
        return "never"
    at = show_instant(token["expires_ms"])
    return f"{at}, expired" if token["expired"] else at
