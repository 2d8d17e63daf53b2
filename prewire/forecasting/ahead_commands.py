"""Commands on what is known ahead: schedules, and an operator's word for a while."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from typing import Annotated, Any

import typer

from prewire.commands import columns, rows, show
from prewire.commands.command_options import Api, Form, Wait, client, given, rate_option, waiting
from prewire.commands.show import Output
from prewire.forecasting.options import (
    long_seconds,
    override_path,
    schedule_path,
)

schedule = typer.Typer(no_args_is_help=True, help="Capacity at times that are known: cron lines.")
override = typer.Typer(no_args_is_help=True, help="An operator's word for a while.")


def add(app: typer.Typer) -> None:
    """Add the commands."""
    app.add_typer(schedule, name="schedule")
    app.add_typer(override, name="override")


class Kind(StrEnum):
    """What an override is of."""

    SERVICE = "service"
    POLICY = "policy"


ScheduleName = Annotated[str, typer.Argument(help="The schedule's name.")]
OverrideKind = Annotated[Kind, typer.Argument(help="What it is of: service or policy.")]
OverrideName = Annotated[str, typer.Argument(help="The service's or policy's name.")]
Containers = Annotated[int | None, typer.Option(help="Of a service, how many.")]
MaxRate = Annotated[int | None, rate_option("--max", "Of a policy, bits a second at most.")]
Guarantee = Annotated[int | None, rate_option("--guarantee", "Of a policy, what it always has.")]


# ------------------------------------------------------------------------------- schedules


@schedule.command("list")
def list_schedules(api: Api = None, output: Form = Output.TABLE) -> None:
    """List all schedules, and when they hold."""
    _print(client(api).call("GET", "/v1/schedules"), output, columns.SCHEDULE)


@schedule.command("show")
def show_schedule(name: ScheduleName, api: Api = None, output: Form = Output.TABLE) -> None:
    """Show one schedule, and when it holds."""
    _print(client(api).call("GET", schedule_path(name)), output, columns.SCHEDULE)


@schedule.command("set")
def set_schedule(
    name: ScheduleName,
    *,
    cron: Annotated[
        str, typer.Option(help="Minute, hour, day of month, month, day of week: '55 7 * * 1-5'.")
    ],
    duration: Annotated[
        int,
        typer.Option(
            "--for", parser=long_seconds, metavar="TIME", help="How long each time, as in 8h."
        ),
    ],
    service: Annotated[str | None, typer.Option(help="Whose containers.")] = None,
    policy: Annotated[str | None, typer.Option(help="Whose rates, in place of a service.")] = None,
    timezone: Annotated[str | None, typer.Option(help="As in Europe/Paris. [default: UTC]")] = None,
    containers: Containers = None,
    most: MaxRate = None,
    guarantee: Guarantee = None,
    wait: Wait = False,
    api: Api = None,
    output: Form = Output.TABLE,
) -> None:
    """Give a service containers, or a policy rates, at times that a cron line names."""
    body = given(
        cron=cron,
        duration_seconds=duration,
        service=service,
        policy=policy,
        timezone=timezone,
        containers=containers,
        max_bps=most,
        guaranteed_bps=guarantee,
    )
    path = schedule_path(name)
    found = client(api).call("PUT", path, json=body, params=waiting(wait))
    _print(found, output, columns.SCHEDULE)


@schedule.command("delete")
def delete_schedule(name: ScheduleName, *, wait: Wait = False, api: Api = None) -> None:
    """Delete a schedule; what it holds now ends."""
    client(api).call("DELETE", schedule_path(name), params=waiting(wait))


# ------------------------------------------------------------------------------- overrides


@override.command("list")
def list_overrides(api: Api = None, output: Form = Output.TABLE) -> None:
    """List all overrides, and how long they last."""
    _print(client(api).call("GET", "/v1/overrides"), output, columns.OVERRIDE)


@override.command("show")
def show_override(
    kind: OverrideKind, name: OverrideName, api: Api = None, output: Form = Output.TABLE
) -> None:
    """Show what an operator says of a service or policy."""
    _print(client(api).call("GET", override_path(kind, name)), output, columns.OVERRIDE)


@override.command("set")
def set_override(
    kind: OverrideKind,
    name: OverrideName,
    *,
    containers: Containers = None,
    most: MaxRate = None,
    guarantee: Guarantee = None,
    duration: Annotated[
        str | None, typer.Option("--for", metavar="TIME", help="From now, as in 20m.")
    ] = None,
    until: Annotated[
        str | None, typer.Option(help="Until then, as in 2026-11-22T18:30:00+01:00.")
    ] = None,
    reason: Annotated[str | None, typer.Option(help="For whom it may concern.")] = None,
    wait: Wait = False,
    api: Api = None,
    output: Form = Output.TABLE,
) -> None:
    """Set a service's containers or a policy's rates for a while, whatever is planned.

    Needs --for or --until; after that the plan is in force again by itself.
    """
    body = given(
        containers=containers,
        max_bps=most,
        guaranteed_bps=guarantee,
        until=until,
        reason=reason,
        **{"for": duration},
    )
    path = override_path(kind, name)
    found = client(api).call("PUT", path, json=body, params=waiting(wait))
    _print(found, output, columns.OVERRIDE)


@override.command("delete")
def delete_override(
    kind: OverrideKind, name: OverrideName, *, wait: Wait = False, api: Api = None
) -> None:
    """End an override now: the plan is in force again."""
    client(api).call("DELETE", override_path(kind, name), params=waiting(wait))


# ------------------------------------------------------------------------------- printing


def _print(found: Any, output: Output, columns: Mapping[str, str]) -> None:
    if show.as_data(found, output):
        return
    show.rows(columns, [rows.ahead(each) for each in found.get("items", [found])])
