"""Commands on policies of traffic between services, through the REST server."""

from __future__ import annotations

from typing import Annotated, Any, Final

import typer

from nib.fields import check_name
from nib.rates import show_rate
from nib.times import show_instant
from prewire.commands import columns, rows, show
from prewire.commands.command_options import (
    Api,
    Form,
    MaxConnections,
    Wait,
    client,
    given,
    print_kind,
    rate_option,
    waiting,
)
from prewire.commands.kinds import kind_called
from prewire.commands.show import Output

_DETAILS: Final = (
    "max_pps",
    "max_connections",
    "connections",
    "burst_ms",
    "allocated_bps",
    "bit_meter",
    "packet_meter",
)

policy = typer.Typer(no_args_is_help=True, help="Policies of traffic from service to service.")


def add(app: typer.Typer) -> None:
    """Add the commands."""
    app.add_typer(policy, name="policy")


Name = Annotated[str, typer.Argument(help="The policy's name.")]


def policy_path(name: str) -> str:
    """A policy's path. FieldError for what is no name: it could lead to another path."""
    return f"/v1/policies/{check_name('name', name)}"


@policy.command("list")
def list_policies(api: Api = None, output: Form = Output.TABLE) -> None:
    """List all policies: what they ask for, and how they stand."""
    print_kind(kind_called("policy"), client(api).call("GET", "/v1/policies"), output)


@policy.command("show")
def show_policy(name: Name, api: Api = None, output: Form = Output.TABLE) -> None:
    """Show one policy: the links it has its guarantee on, and what each switch lets through."""
    _print_one(client(api).call("GET", policy_path(name)), output)


@policy.command("set")
def set_policy(
    name: Name,
    *,
    source: Annotated[
        str | None, typer.Option("--from", help="Service it comes from. [default: anyone]")
    ] = None,
    destination: Annotated[
        str | None, typer.Option("--to", help="Service it goes to. [default: anyone]")
    ] = None,
    qos_class: Annotated[
        str | None, typer.Option("--class", help="Its class. [default: default]")
    ] = None,
    traffic: Annotated[
        str | None,
        typer.Option(
            help="For a class and burst that suit: sql, key-value, messaging, streaming or batch."
        ),
    ] = None,
    guarantee: Annotated[
        int | None, rate_option("--guarantee", "What it can always have, as in 10M.")
    ] = None,
    most: Annotated[int | None, rate_option("--max", "What it may have, as in 50M.")] = None,
    max_pps: Annotated[int | None, typer.Option(help="Packets a second, at most.")] = None,
    max_connections: MaxConnections = None,
    burst_ms: Annotated[
        int | None, typer.Option(help="What may come at once, in ms of the limit. [default: 1000]")
    ] = None,
    wait: Wait = False,
    api: Api = None,
    output: Form = Output.TABLE,
) -> None:
    """Create or replace a policy; what is left out takes its default."""
    body = given(
        source=source,
        destination=destination,
        traffic=traffic,
        guaranteed_bps=guarantee,
        max_bps=most,
        max_pps=max_pps,
        max_connections=max_connections,
        burst_ms=burst_ms,
        **{"class": qos_class},
    )
    path = policy_path(name)
    _print_one(client(api).call("PUT", path, json=body, params=waiting(wait)), output)


@policy.command("delete")
def delete_policy(name: Name, *, wait: Wait = False, api: Api = None) -> None:
    """Delete a policy: its traffic has no guarantee and no limit any more."""
    client(api).call("DELETE", policy_path(name), params=waiting(wait))


def _print_one(found: Any, output: Output) -> None:
    """The row, then what is known beyond it."""
    if show.as_data(found, output):
        return
    shown = rows.policy(found)
    show.rows(columns.POLICY, [shown])
    show.lines(*(f"{key:18} {shown[key]}" for key in _DETAILS if shown[key] is not None))
    show.lines(*_in_force(found["in_force"]))
    links = ", ".join(f"{_called(each)} {each['port']}" for each in found["links"])
    show.lines(*([f"{'links':18} {links}"] if links else []))
    for share in found["shares"]:
        parts = [show_rate(share["bps"])] if share["bps"] is not None else []
        parts += [f"{share['pps']} packets/s"] if share["pps"] is not None else []
        show.lines(f"{'let through':18} {', '.join(parts) or 'all'} at {_called(share)}")


def _in_force(rates: Any) -> list[str]:
    """The rates in force, where they are not the policy's own."""
    if rates["source"] == "policy":
        return []
    parts = [
        f"{word} {show_rate(rates[key])}"
        for word, key in (("max", "max_bps"), ("guarantee", "guaranteed_bps"))
        if rates[key] is not None
    ]
    until = show_instant(rates["until_ms"])
    return [f"{'in force':18} {', '.join(parts)} by {rates['source']} until {until}"]


def _called(place: Any) -> str:
    return str(place["switch_name"] or place["switch"])
