"""Commands on services, through the REST server."""

from __future__ import annotations

from typing import Any, Final

import typer

from prewire.commands import columns, show
from prewire.commands import service_options as options
from prewire.commands.command_options import (
    Api,
    Form,
    MaxConnections,
    Name,
    Wait,
    client,
    given,
    print_rows,
    service_path,
    waiting,
)
from prewire.commands.show import Output
from prewire.forecasting.options import plan_line, scaling_line

_DETAILS: Final = (
    "mode",
    "policy",
    "on_empty",
    "max_connections",
    "affinity_seconds",
    "slow_start_seconds",
    "panic_percent",
    "health",
    "ejection",
    "canary",
)
_SLOT_COLUMNS: Final = {"CONTAINER": "id", "SLOTS": "slots", "SHARE": "share"}

service = typer.Typer(no_args_is_help=True, help="Services: a VIP, ports and protocol.")


def add(app: typer.Typer) -> None:
    """Add the commands."""
    app.add_typer(service, name="service")


@service.command("list")
def list_services(api: Api = None, output: Form = Output.TABLE) -> None:
    """List all services."""
    print_rows(client(api).call("GET", "/v1/services"), output, columns.SERVICE)


@service.command("show")
def show_service(name: Name, api: Api = None, output: Form = Output.TABLE) -> None:
    """Show one service: what is set, how its containers stand, and how many are planned."""
    server = client(api)
    found = server.call("GET", service_path(name))
    _print_one(found, output)
    if output is not Output.TABLE:
        return
    for scaling in server.call("GET", "/v1/scalings", params={"service": name})["items"]:
        show.lines(f"{'scaling':18} {scaling_line(scaling)}")
        show.lines(f"{'plan':18} {plan_line(scaling['plan'])}")


@service.command("slots")
def show_slots(name: Name, api: Api = None, output: Form = Output.TABLE) -> None:
    """Show which part of new connections each container gets."""
    found = client(api).call("GET", f"{service_path(name)}/slots")
    if not show.as_data(found, output):
        show.rows(_SLOT_COLUMNS, found["containers"])
        show.lines(f"{found['slots_in_all']} slots: {' '.join(found['slots']) or 'none'}")
        for local in found["local_slots"]:
            show.lines("", f"clients of switch {local['switch']}, {local['slots_in_all']} slots:")
            show.rows(_SLOT_COLUMNS, local["containers"])


@service.command("set")
def set_service(
    name: Name,
    *,
    vip: options.Vip,
    port: options.Port,
    protocol: options.Protocol = "tcp",
    extra_port: options.ExtraPorts = None,
    mode: options.Mode = None,
    policy: options.Policy = None,
    affinity: options.Affinity = None,
    on_empty: options.OnEmpty = None,
    max_connections: MaxConnections = None,
    slow_start: options.SlowStart = None,
    panic_percent: options.PanicPercent = None,
    locality: options.Locality = None,
    switch: options.Switches = None,
    health: options.Health = None,
    health_port: options.HealthPort = None,
    health_path: options.HealthPath = None,
    health_status: options.HealthStatus = None,
    health_grpc_service: options.HealthGrpcService = None,
    health_interval: options.HealthInterval = None,
    health_timeout: options.HealthTimeout = None,
    health_rise: options.HealthRise = None,
    health_fall: options.HealthFall = None,
    eject: options.Eject = None,
    eject_connections: options.EjectConnections = None,
    eject_window: options.EjectWindow = None,
    eject_time: options.EjectTime = None,
    eject_most: options.EjectMost = None,
    canary: options.Canary = None,
    canary_percent: options.CanaryPercent = None,
    canary_step: options.CanaryStep = None,
    canary_step_every: options.CanaryStepEvery = None,
    wait: Wait = False,
    api: Api = None,
    output: Form = Output.TABLE,
) -> None:
    """Create or replace a service; what is left out takes its default."""
    check = given(
        port=health_port,
        path=health_path,
        **(health_status or {}),
        grpc_service=health_grpc_service,
        interval_ms=health_interval,
        timeout_ms=health_timeout,
        rise=health_rise,
        fall=health_fall,
    )
    ejection = given(
        min_connections=eject_connections,
        window_ms=eject_window,
        eject_ms=eject_time,
        max_ejected_percent=eject_most,
    )
    steps = given(
        percent=canary_percent,
        step_percent=canary_step,
        step_ms=canary_step_every,
    )
    body = given(
        vip=vip,
        port=port,
        protocol=protocol,
        extra_ports=extra_port or None,
        mode=mode,
        policy=policy,
        affinity_seconds=affinity,
        on_empty=on_empty,
        max_connections=max_connections,
        slow_start_seconds=slow_start,
        panic_percent=panic_percent,
        locality=locality,
        switches=switch or None,
        health=_part("--health", {"kind": health}, check),
        ejection=_part("--eject", {"failure_percent": eject}, ejection),
        canary=_part("--canary", {"version": canary}, steps),
    )
    path = service_path(name)
    _print_one(client(api).call("PUT", path, json=body, params=waiting(wait)), output)


def _part(option: str, main: dict[str, Any], rest: dict[str, Any]) -> dict[str, Any] | None:
    """A part of a service by its main option; wrong usage where only the rest was given."""
    if None not in main.values():
        return main | rest
    if rest:
        raise typer.BadParameter(f"options that belong to it need {option}", param_hint=option)
    return None


@service.command("delete")
def delete_service(name: Name, *, wait: Wait = False, api: Api = None) -> None:
    """Delete a service and its containers."""
    client(api).call("DELETE", service_path(name), params=waiting(wait))


def _print_one(found: Any, output: Output) -> None:
    """The row, then what is set beyond it."""
    print_rows(found, output, columns.SERVICE)
    if output is not Output.TABLE:
        return
    for key in _DETAILS:
        if found[key]:
            show.lines(f"{key:18} {_value(found[key])}")
    if found["locality"] != "none":
        show.lines(f"{'locality':18} {found['locality']}")
    if found["switches"]:
        show.lines(f"{'switches':18} {', '.join(found['switches'])}")
    ports = [f"{each['port']}:{each['target']}/{each['protocol']}" for each in found["extra_ports"]]
    show.lines(*([f"{'extra_ports':18} {', '.join(ports)}"] if ports else []))
    states = ", ".join(f"{count} {state}" for state, count in found["states"].items())
    show.lines(f"{'containers':18} {states or 'none'}{' (panic)' if found['panic'] else ''}")
    if found["demand"]:
        demand = found["demand"]
        show.lines(f"{'demand':18} {demand['packets']} packets, last at {demand['at_ms']} ms")


def _value(value: Any) -> str:
    if not isinstance(value, dict):
        return str(value)
    return ", ".join(f"{key} {each}" for key, each in value.items() if each not in (None, ""))
