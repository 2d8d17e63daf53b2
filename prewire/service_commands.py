"""Commands on services, through the REST server."""

from __future__ import annotations

import re
from typing import Annotated, Any, Final

import typer

from prewire import show
from prewire.command_options import (
    Api,
    Form,
    Name,
    Wait,
    client,
    duration,
    given,
    milliseconds,
    print_rows,
    service_path,
    waiting,
    whole_seconds,
)
from prewire.show import Output

_COLUMNS: Final = {
    "NAME": "name",
    "VIP": "vip",
    "PORT": "port",
    "PROTOCOL": "protocol",
    "READY": "ready",
    "DRAINING": "draining",
}
_SLOT_COLUMNS: Final = {"CONTAINER": "id", "SLOTS": "slots", "SHARE": "share"}
_EXTRA_PORT: Final = re.compile(r"([0-9]{1,5}):([0-9]{1,5})(?:/(tcp|udp))?")
_STATUSES: Final = re.compile(r"([0-9]{3})(?:-([0-9]{3}))?")

service = typer.Typer(no_args_is_help=True, help="Services: a VIP, ports and protocol.")


@service.command("list")
def list_services(api: Api = None, output: Form = Output.TABLE) -> None:
    """List all services."""
    print_rows(client(api).call("GET", "/v1/services"), output, _COLUMNS)


@service.command("show")
def show_service(name: Name, api: Api = None, output: Form = Output.TABLE) -> None:
    """Show one service: what is set, and how its containers stand."""
    _print_one(client(api).call("GET", service_path(name)), output)


@service.command("slots")
def show_slots(name: Name, api: Api = None, output: Form = Output.TABLE) -> None:
    """Show which part of new connections each container gets."""
    found = client(api).call("GET", f"{service_path(name)}/slots")
    if output is Output.JSON:
        show.as_json(found)
    else:
        show.rows(_SLOT_COLUMNS, found["containers"])
        show.lines(f"{found['slots_in_all']} slots: {' '.join(found['slots']) or 'none'}")
        for local in found["local_slots"]:
            show.lines("", f"clients of switch {local['switch']}, {local['slots_in_all']} slots:")
            show.rows(_SLOT_COLUMNS, local["containers"])


def _extra_port(text: str) -> dict[str, Any]:
    found = _EXTRA_PORT.fullmatch(text)
    if found is None:
        raise typer.BadParameter(
            f"{text!r} is not PORT:TARGET or PORT:TARGET/PROTOCOL", param_hint="--extra-port"
        )
    return {"port": int(found[1]), "target": int(found[2]), "protocol": found[3] or "tcp"}


def _statuses(text: str | None) -> dict[str, int]:
    if text is None:
        return {}
    found = _STATUSES.fullmatch(text)
    if found is None:
        raise typer.BadParameter(
            f"{text!r} is not a status, nor two of them as in 200-399",
            param_hint="--health-status",
        )
    return {"status_from": int(found[1]), "status_to": int(found[2] or found[1])}


@service.command("set")
def set_service(
    name: Name,
    *,
    vip: Annotated[str, typer.Option(help="Virtual IP address.")],
    port: Annotated[int, typer.Option(help="Port that clients connect to.")],
    protocol: Annotated[str, typer.Option(help="tcp or udp.")] = "tcp",
    extra_port: Annotated[
        list[str] | None,
        typer.Option(
            metavar="PORT:TARGET[/PROTOCOL]",
            help="A further port and the containers' port for it, as in 8443:9443; repeatable.",
        ),
    ] = None,
    mode: Annotated[str | None, typer.Option(help="stateful or stateless.")] = None,
    policy: Annotated[
        str | None, typer.Option(help="weighted, least_inflight or source_affinity.")
    ] = None,
    affinity: Annotated[
        float | None,
        typer.Option(
            parser=duration,
            metavar="TIME",
            help="How long a client's slot stays, as in 10m (source_affinity).",
        ),
    ] = None,
    on_empty: Annotated[
        str | None, typer.Option(help="Without a container: reject or hold.")
    ] = None,
    max_connections: Annotated[
        int | None, typer.Option(help="Connections at a time, at most.")
    ] = None,
    slow_start: Annotated[
        float | None,
        typer.Option(
            parser=duration,
            metavar="TIME",
            help="In which a new container's share grows, as in 30s.",
        ),
    ] = None,
    panic_percent: Annotated[
        int | None, typer.Option(help="With fewer containers usable, all are used.")
    ] = None,
    locality: Annotated[
        str | None, typer.Option(help="none, or prefer: containers of the client's switch first.")
    ] = None,
    health: Annotated[str | None, typer.Option(help="Active check: tcp, http or grpc.")] = None,
    health_port: Annotated[
        int | None, typer.Option(help="Port it asks. [default: the container's]")
    ] = None,
    health_path: Annotated[str | None, typer.Option(help="Path it asks for (http).")] = None,
    health_status: Annotated[
        str | None,
        typer.Option(metavar="FROM-TO", help="Statuses that are good, as in 200-399 (http)."),
    ] = None,
    health_grpc_service: Annotated[
        str | None, typer.Option(help="Service it asks for (grpc).")
    ] = None,
    health_interval: Annotated[
        float | None,
        typer.Option(parser=duration, metavar="TIME", help="Between checks, as in 300ms."),
    ] = None,
    health_timeout: Annotated[
        float | None,
        typer.Option(parser=duration, metavar="TIME", help="Of one check, as in 200ms."),
    ] = None,
    health_rise: Annotated[
        int | None, typer.Option(help="Successes in a row that make it up.")
    ] = None,
    health_fall: Annotated[
        int | None, typer.Option(help="Failures in a row that make it down.")
    ] = None,
    eject: Annotated[
        int | None,
        typer.Option(help="Eject a container at this percentage of failed connections."),
    ] = None,
    eject_connections: Annotated[
        int | None, typer.Option(help="Fewer new connections in a window say nothing.")
    ] = None,
    eject_window: Annotated[
        float | None,
        typer.Option(
            parser=duration, metavar="TIME", help="Over which failures are counted, as in 1s."
        ),
    ] = None,
    eject_time: Annotated[
        float | None,
        typer.Option(parser=duration, metavar="TIME", help="For which it is left out, as in 30s."),
    ] = None,
    eject_most: Annotated[
        int | None, typer.Option(help="Percentage of containers ejected at a time, at most.")
    ] = None,
    canary: Annotated[
        str | None, typer.Option(metavar="VERSION", help="Version with a share of its own.")
    ] = None,
    canary_percent: Annotated[int | None, typer.Option(help="Its share in the end.")] = None,
    canary_step: Annotated[
        int | None, typer.Option(help="Percentage added every step. [default: all at once]")
    ] = None,
    canary_step_every: Annotated[
        float | None,
        typer.Option(parser=duration, metavar="TIME", help="From step to step, as in 5m."),
    ] = None,
    wait: Wait = False,
    api: Api = None,
    output: Form = Output.TABLE,
) -> None:
    """Create or replace a service; what is left out takes its default."""
    check = given(
        port=health_port,
        path=health_path,
        **_statuses(health_status),
        grpc_service=health_grpc_service,
        interval_ms=milliseconds(health_interval),
        timeout_ms=milliseconds(health_timeout),
        rise=health_rise,
        fall=health_fall,
    )
    ejection = given(
        min_connections=eject_connections,
        window_ms=milliseconds(eject_window),
        eject_ms=milliseconds(eject_time),
        max_ejected_percent=eject_most,
    )
    steps = given(
        percent=canary_percent,
        step_percent=canary_step,
        step_ms=milliseconds(canary_step_every),
    )
    body = given(
        vip=vip,
        port=port,
        protocol=protocol,
        extra_ports=[_extra_port(each) for each in extra_port or ()] or None,
        mode=mode,
        policy=policy,
        affinity_seconds=whole_seconds("--affinity", affinity),
        on_empty=on_empty,
        max_connections=max_connections,
        slow_start_seconds=whole_seconds("--slow-start", slow_start),
        panic_percent=panic_percent,
        locality=locality,
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
    print_rows(found, output, _COLUMNS)
    if output is Output.JSON:
        return
    shown = ("mode", "policy", "on_empty", "max_connections", "affinity_seconds",
             "slow_start_seconds", "panic_percent", "health", "ejection", "canary")  # fmt: skip
    for key in shown:
        if found[key]:
            show.lines(f"{key:18} {_value(found[key])}")
    if found["locality"] != "none":
        show.lines(f"{'locality':18} {found['locality']}")
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
