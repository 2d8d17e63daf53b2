"""Commands on containers, through the REST server."""

from __future__ import annotations

import threading
from typing import Annotated, Any, Final

import typer

from gateway_lb import lifecycle
from prewire.commands import columns, show
from prewire.commands.client import Client, RequestFailed
from prewire.commands.command_options import (
    Api,
    Form,
    Id,
    MaxConnections,
    Name,
    Wait,
    client,
    container_path,
    duration,
    given,
    print_rows,
    service_path,
    time_option,
    waiting,
    whole_seconds,
)
from prewire.commands.show import Output

_DETAILS: Final = (
    "weight",
    "version",
    "share",
    "max_inflight",
    "max_connections",
    "lease_until_ms",
    "healthy",
    "health_reason",
    "ejected_until_ms",
    "seconds_left",
    "safe_to_stop",
)
_PACE_SECONDS: Final = 0.5

container = typer.Typer(no_args_is_help=True, help="Resident containers behind a service.")


def add(app: typer.Typer) -> None:
    """Add the commands."""
    app.add_typer(container, name="container")


@container.command("list")
def list_containers(name: Name, api: Api = None, output: Form = Output.TABLE) -> None:
    """List the containers of a service: state, slots, and why one gets nothing."""
    found = client(api).call("GET", f"{service_path(name)}/containers")
    print_rows(found, output, columns.CONTAINER)


@container.command("show")
def show_container(
    name: Name, container_id: Id, api: Api = None, output: Form = Output.TABLE
) -> None:
    """Show one container: what is set, what is known of it, and how draining gets on."""
    found = client(api).call("GET", container_path(name, container_id))
    print_rows(found, output, columns.CONTAINER)
    if output is Output.TABLE:
        show.lines(*(f"{key:18} {found[key]}" for key in _DETAILS if found[key] not in (None, "")))


@container.command("set")
def set_container(
    name: Name,
    container_id: Id,
    *,
    address: Annotated[str, typer.Option(help="The container's own IP address.")],
    port: Annotated[int, typer.Option(help="Port it listens on.")],
    mac: Annotated[str | None, typer.Option(help="[default: the port's attached-mac]")] = None,
    switch: Annotated[str | None, typer.Option(help="Bridge name or datapath id.")] = None,
    switch_port: Annotated[str | None, typer.Option(help="Port name or number.")] = None,
    iface_id: Annotated[str | None, typer.Option(help="external_ids:iface-id.")] = None,
    weight: Annotated[int | None, typer.Option(help="Share relative to siblings, 0-256.")] = None,
    version: Annotated[str | None, typer.Option(help="Of its software, for canaries.")] = None,
    max_inflight: Annotated[int | None, typer.Option(help="Requests in parallel, at most.")] = None,
    max_connections: MaxConnections = None,
    lease: Annotated[
        int | None, time_option(whole_seconds, "Drained unless renewed within, as in 30s.")
    ] = None,
    wait: Wait = False,
    api: Api = None,
    output: Form = Output.TABLE,
) -> None:
    """Register a container or replace it: where it is by --iface-id, or by --switch and
    --switch-port."""
    body = given(
        address=address,
        port=port,
        mac=mac,
        switch=switch,
        switch_port=switch_port,
        iface_id=iface_id,
        weight=weight,
        version=version,
        max_inflight=max_inflight,
        max_connections=max_connections,
        lease_seconds=lease,
    )
    path = container_path(name, container_id)
    found = client(api).call("PUT", path, json=body, params=waiting(wait))
    print_rows(found, output, columns.CONTAINER)


@container.command("renew")
def renew_container(name: Name, container_id: Id, api: Api = None) -> None:
    """Renew a container's lease."""
    client(api).call("POST", f"{container_path(name, container_id)}/renew")


@container.command("report")
def report_container(
    name: Name,
    container_id: Id,
    words: Annotated[
        list[str] | None,
        typer.Argument(help="As in ready 50% maxconn:30; or drain, maint, up, down."),
    ] = None,
    *,
    inflight: Annotated[int | None, typer.Option(help="Requests it works at now.")] = None,
    api: Api = None,
) -> None:
    """Report what a container says of itself, in HAProxy's agent-check words."""
    body = given(words=" ".join(words or ()), inflight=inflight)
    client(api).call("PUT", f"{container_path(name, container_id)}/report", json=body)


@container.command("delete")
def delete_container(
    name: Name,
    container_id: Id,
    *,
    drain: Annotated[
        float,
        time_option(duration, "How long connections are kept, as in 60s; 0: reset at once."),
    ] = lifecycle.DEFAULT_DRAIN_SECONDS,
    wait: Wait = False,
    wait_drained: Annotated[
        bool, typer.Option("--wait-drained", help="Return when it is safe to stop.")
    ] = False,
    api: Api = None,
) -> None:
    """Take a container out of service."""
    path = container_path(name, container_id)
    server = client(api)
    server.call("DELETE", path, params={"drain": f"{drain:.3f}", **waiting(wait)})
    if wait_drained:
        _wait_drained(server, name, container_id)


def _wait_drained(server: Client, name: str, container_id: str) -> None:
    """Show progress until the container is safe to stop, or gone. RequestFailed where it is
    registered again."""
    never = threading.Event()
    told = ""
    while (found := _found(server, name, container_id)) is not None:
        told = _told(found, told)
        if found["safe_to_stop"]:
            show.lines("safe to stop")
            return
        if found["drain_until_ms"] is None:
            raise RequestFailed(f"state: {found['id']} was registered again; drain it once more")
        never.wait(_PACE_SECONDS)
    show.lines("gone, safe to stop")


def _found(server: Client, name: str, container_id: str) -> dict[str, Any] | None:
    """The container, None where it is gone."""
    items = server.call("GET", f"{service_path(name)}/containers")["items"]
    return next((each for each in items if each["id"] == container_id), None)


def _told(found: dict[str, Any], before: str) -> str:
    """Say how many connections are left, where that changed."""
    left = found["connections"]
    told = "connections unknown" if left is None else f"{left} connections"
    if told != before:
        show.lines(f"draining: {told}, {found['seconds_left'] or 0:.0f} s left")
    return told
