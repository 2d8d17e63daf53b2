"""Commands on what follows the forecast: containers of services, rates of policies."""

from __future__ import annotations

from typing import Annotated, Any, Final

import typer

from prewire.commands import columns, rows, show
from prewire.commands.command_options import (
    Api,
    Form,
    Wait,
    client,
    given,
    milliseconds,
    rate_option,
    time_option,
    waiting,
    whole_seconds,
)
from prewire.commands.show import Output
from prewire.forecasting.options import (
    PolicyName,
    ServiceName,
    details,
    plan_line,
    provisioning_path,
    quantile_option,
    rate_plan_line,
    scaling_path,
)

_SCALING_DETAILS: Final = (
    "concurrency",
    "target_percent",
    "quantile_permille",
    "hold_seconds",
    "cold_start_ms",
    "target",
)
_PROVISIONING_DETAILS: Final = ("headroom_percent", "quantile_permille")

scaling = typer.Typer(no_args_is_help=True, help="Services whose containers follow their load.")
provisioning = typer.Typer(no_args_is_help=True, help="Policies whose rates follow the forecast.")


def add(app: typer.Typer) -> None:
    """Add the commands."""
    app.add_typer(scaling, name="scaling")
    app.add_typer(provisioning, name="provisioning")


# ------------------------------------------------------------------------------- scaling


@scaling.command("list")
def list_scalings(api: Api = None, output: Form = Output.TABLE) -> None:
    """List services that scale by their load: what is planned, and what is there."""
    found = client(api).call("GET", "/v1/scalings")
    if show.as_data(found, output):
        return
    show.rows(columns.SCALING, [rows.scaling(each) for each in found["items"]])


@scaling.command("show")
def show_scaling(service: ServiceName, api: Api = None, output: Form = Output.TABLE) -> None:
    """Show how a service scales, its plan and why."""
    _print_scaling(client(api).call("GET", scaling_path(service)), output)


@scaling.command("set")
def set_scaling(
    service: ServiceName,
    *,
    mode: Annotated[
        str | None,
        typer.Option(
            help="plan; react: by the load of now alone; observe: request nothing. [default: plan]"
        ),
    ] = None,
    concurrency: Annotated[
        int | None, typer.Option(help="Requests a container works at in parallel. [default: 1]")
    ] = None,
    target_percent: Annotated[
        int | None, typer.Option(help="How full a container is to be. [default: 70]")
    ] = None,
    quantile: Annotated[
        int | None,
        quantile_option("Of the most load within the lead time, as in 0.99. [default: 0.99]"),
    ] = None,
    least: Annotated[
        int | None, typer.Option("--min", help="Never fewer containers. [default: 0]")
    ] = None,
    most: Annotated[
        int | None, typer.Option("--max", help="Never more containers. [default: 100]")
    ] = None,
    hold: Annotated[
        int | None,
        time_option(whole_seconds, "Kept after the last need, as in 20s. [default: 20s]"),
    ] = None,
    cold_start: Annotated[
        int | None,
        time_option(milliseconds, "What a container takes to start. [default: as measured]"),
    ] = None,
    target: Annotated[
        str | None,
        typer.Option(
            help="Who starts containers: knative:NAMESPACE/SERVICE, "
            "kubernetes:NAMESPACE/deployment/NAME or process:NAME. [default: whoever subscribes]"
        ),
    ] = None,
    wait: Wait = False,
    api: Api = None,
    output: Form = Output.TABLE,
) -> None:
    """Have a service's containers follow its load; what is left out takes its default."""
    body = given(
        mode=mode,
        concurrency=concurrency,
        target_percent=target_percent,
        quantile_permille=quantile,
        min_containers=least,
        max_containers=most,
        hold_seconds=hold,
        cold_start_ms=cold_start,
        target=target,
    )
    path = scaling_path(service)
    _print_scaling(client(api).call("PUT", path, json=body, params=waiting(wait)), output)


@scaling.command("delete")
def delete_scaling(service: ServiceName, *, wait: Wait = False, api: Api = None) -> None:
    """Leave a service's containers to whoever starts them; those it has stay."""
    client(api).call("DELETE", scaling_path(service), params=waiting(wait))


def _print_scaling(found: Any, output: Output) -> None:
    """The row, then what is set, and the plan."""
    if show.as_data(found, output):
        return
    show.rows(columns.SCALING, [rows.scaling(found)])
    details(found, _SCALING_DETAILS)
    show.lines(f"{'plan':18} {plan_line(found['plan'])}")


# ------------------------------------------------------------------------------- provisioning


@provisioning.command("list")
def list_provisionings(api: Api = None, output: Form = Output.TABLE) -> None:
    """List policies whose rates follow the forecast, with the rates in force."""
    found = client(api).call("GET", "/v1/provisionings")
    if show.as_data(found, output):
        return
    show.rows(columns.PROVISIONING, [rows.provisioning(each) for each in found["items"]])


@provisioning.command("show")
def show_provisioning(policy: PolicyName, api: Api = None, output: Form = Output.TABLE) -> None:
    """Show which rates of a policy follow the forecast, the plan and what is in force."""
    _print_provisioning(client(api).call("GET", provisioning_path(policy)), output)


@provisioning.command("set")
def set_provisioning(
    policy: PolicyName,
    *,
    rates: Annotated[
        str | None, typer.Option(help="max, guaranteed or both. [default: max]")
    ] = None,
    headroom: Annotated[
        int | None,
        typer.Option("--headroom-percent", help="Added to the forecast. [default: 10]"),
    ] = None,
    quantile: Annotated[
        int | None, quantile_option("Of the load, as in 0.99. [default: 0.99]")
    ] = None,
    floor: Annotated[int | None, rate_option("--floor", "Never less. [default: 1M]")] = None,
    ceiling: Annotated[
        int | None, rate_option("--ceiling", "Never more. [default: what the policy says]")
    ] = None,
    wait: Wait = False,
    api: Api = None,
    output: Form = Output.TABLE,
) -> None:
    """Have a policy's rates follow the forecast; what is left out takes its default."""
    body = given(
        rates=rates,
        headroom_percent=headroom,
        quantile_permille=quantile,
        floor_bps=floor,
        ceiling_bps=ceiling,
    )
    path = provisioning_path(policy)
    _print_provisioning(client(api).call("PUT", path, json=body, params=waiting(wait)), output)


@provisioning.command("delete")
def delete_provisioning(policy: PolicyName, *, wait: Wait = False, api: Api = None) -> None:
    """Let a policy have its own rates again."""
    client(api).call("DELETE", provisioning_path(policy), params=waiting(wait))


def _print_provisioning(found: Any, output: Output) -> None:
    """The row, then what is set, and the plan."""
    if show.as_data(found, output):
        return
    show.rows(columns.PROVISIONING, [rows.provisioning(found)])
    details(found, _PROVISIONING_DETAILS)
    show.lines(f"{'plan':18} {rate_plan_line(found['plan'])}")
