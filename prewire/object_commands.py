"""Commands on objects, through the REST server: services, containers, switches, explanations."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from nib.fields import check_dpid, check_name
from prewire import settings, show
from prewire.client import Client, RequestFailed
from prewire.show import Output

Api = Annotated[
    str | None, typer.Option("--api", envvar="PREWIRE_API", help="The REST server's URL.")
]
Form = Annotated[Output, typer.Option("--output", "-o", help="How to print.")]
Wait = Annotated[bool, typer.Option("--wait", help="Return when every switch has acknowledged.")]
Name = Annotated[str, typer.Argument(help="The service's name.")]
Id = Annotated[str, typer.Argument(help="The container's id.")]
SwitchName = Annotated[
    str | None, typer.Option("--switch", help="Datapath id or bridge name. [default: the only one]")
]

AnySwitch = Annotated[
    str | None, typer.Option("--switch", help="Datapath id or bridge name. [default: all]")
]

DIFFERENCES = 3  # exit code of `diff` that found some

_SERVICE_COLUMNS = {
    "NAME": "name",
    "VIP": "vip",
    "PORT": "port",
    "PROTOCOL": "protocol",
    "READY": "ready",
    "DRAINING": "draining",
}
_CONTAINER_COLUMNS = {
    "ID": "id",
    "ADDRESS": "address",
    "PORT": "port",
    "MAC": "mac",
    "STATE": "state",
    "PLACED": "placed",
    "SLOTS": "slots",
    "OF": "slots_in_all",
}
_SWITCH_COLUMNS = {
    "DPID": "dpid",
    "NAME": "name",
    "CONNECTED": "connected",
    "APPLIED": "applied",
    "PROBLEM": "problem",
}

service = typer.Typer(no_args_is_help=True, help="Services: a VIP, port and protocol.")
switch_group = typer.Typer(no_args_is_help=True, help="Switches: Open vSwitch bridges.")
container = typer.Typer(no_args_is_help=True, help="Resident containers behind a service.")


def add(app: typer.Typer) -> None:
    """Add the commands."""
    app.add_typer(service, name="service")
    app.add_typer(container, name="container")
    app.add_typer(switch_group, name="switch")
    app.command()(status)
    app.command()(diff)
    app.command()(explain)


def _client(api: str | None) -> Client:
    return Client(api or settings.load().api_url)


def _service_path(name: str) -> str:
    """A service's path. FieldError for what is no name: it could lead to another path."""
    return f"/v1/services/{check_name('name', name)}"


def _container_path(name: str, container_id: str) -> str:
    return f"{_service_path(name)}/containers/{check_name('id', container_id)}"


def _waiting(wait: bool) -> dict[str, str]:
    return {"wait": "applied"} if wait else {}


def _print(value: Any, form: Output, columns: dict[str, str]) -> None:
    if form is Output.JSON:
        show.as_json(value)
    else:
        show.rows(columns, value.get("items", [value]))


@service.command("list")
def list_services(api: Api = None, output: Form = Output.TABLE) -> None:
    """List all services."""
    _print(_client(api).call("GET", "/v1/services"), output, _SERVICE_COLUMNS)


@service.command("show")
def show_service(name: Name, api: Api = None, output: Form = Output.TABLE) -> None:
    """Show one service."""
    _print(_client(api).call("GET", _service_path(name)), output, _SERVICE_COLUMNS)


@service.command("set")
def set_service(
    name: Name,
    *,
    vip: Annotated[str, typer.Option(help="Virtual IPv4 address.")],
    port: Annotated[int, typer.Option(help="Port that clients connect to.")],
    protocol: Annotated[str, typer.Option(help="tcp or udp.")] = "tcp",
    wait: Wait = False,
    api: Api = None,
    output: Form = Output.TABLE,
) -> None:
    """Create or change a service."""
    body = {"vip": vip, "port": port, "protocol": protocol}
    path = _service_path(name)
    _print(_client(api).call("PUT", path, json=body, params=_waiting(wait)), output,
           _SERVICE_COLUMNS)  # fmt: skip


@service.command("delete")
def delete_service(name: Name, *, wait: Wait = False, api: Api = None) -> None:
    """Delete a service and its containers."""
    _client(api).call("DELETE", _service_path(name), params=_waiting(wait))


@container.command("list")
def list_containers(name: Name, api: Api = None, output: Form = Output.TABLE) -> None:
    """List the containers of a service."""
    found = _client(api).call("GET", f"{_service_path(name)}/containers")
    _print(found, output, _CONTAINER_COLUMNS)


@container.command("show")
def show_container(
    name: Name, container_id: Id, api: Api = None, output: Form = Output.TABLE
) -> None:
    """Show one container."""
    found = _client(api).call("GET", _container_path(name, container_id))
    _print(found, output, _CONTAINER_COLUMNS)


@container.command("set")
def set_container(
    name: Name,
    container_id: Id,
    *,
    address: Annotated[str, typer.Option(help="The container's own IPv4 address.")],
    port: Annotated[int, typer.Option(help="Port it listens on.")],
    mac: Annotated[str | None, typer.Option(help="[default: the port's attached-mac]")] = None,
    switch: Annotated[str | None, typer.Option(help="Bridge name or datapath id.")] = None,
    switch_port: Annotated[str | None, typer.Option(help="Port name or number.")] = None,
    iface_id: Annotated[str | None, typer.Option(help="external_ids:iface-id.")] = None,
    wait: Wait = False,
    api: Api = None,
    output: Form = Output.TABLE,
) -> None:
    """Register a container: where it is by --iface-id, or by --switch and --switch-port."""
    body = {
        "address": address,
        "port": port,
        "mac": mac,
        "switch": switch,
        "switch_port": switch_port,
        "iface_id": iface_id,
    }
    path = _container_path(name, container_id)
    found = _client(api).call("PUT", path, json=body, params=_waiting(wait))
    _print(found, output, _CONTAINER_COLUMNS)


@container.command("delete")
def delete_container(
    name: Name,
    container_id: Id,
    *,
    drain: Annotated[
        float, typer.Option(help="Seconds that established connections are kept.")
    ] = 60.0,
    wait: Wait = False,
    api: Api = None,
) -> None:
    """Take a container out of service."""
    path = _container_path(name, container_id)
    _client(api).call("DELETE", path, params={"drain": drain, **_waiting(wait)})


@switch_group.command("list")
def list_switches(api: Api = None, output: Form = Output.TABLE) -> None:
    """List all switches that ever connected."""
    _print(_client(api).call("GET", "/v1/switches"), output, _SWITCH_COLUMNS)


@switch_group.command("forget")
def forget_switch(
    dpid: Annotated[str, typer.Argument(help="The datapath id.")], api: Api = None
) -> None:
    """Forget a switch that is gone for good; --wait no longer awaits it."""
    _client(api).call("DELETE", f"/v1/switches/{check_dpid('dpid', dpid)}")


def status(api: Api = None, output: Form = Output.TABLE) -> None:
    """Show the state of the whole."""
    found = _client(api).call("GET", "/v1/status")
    if output is Output.JSON:
        show.as_json(found)
        return
    show.lines(
        f"generation {found['generation']}, leader {found['leader'] or 'none'}, "
        f"{found['services']} services, containers: {found['containers_ready']} ready, "
        f"{found['containers_draining']} draining, {found['containers_not_placed']} not placed"
    )
    if found["switches"]:
        show.rows(_SWITCH_COLUMNS, found["switches"])
    else:
        show.lines("no switch has connected: ovs-vsctl set-controller BRIDGE tcp:CONTROLLER:6653")


def diff(switch: AnySwitch = None, api: Api = None, output: Form = Output.TABLE) -> None:
    """Read switches back and show missing and alien flows; exit code 3 if there are any."""
    client = _client(api)
    known = client.call("GET", "/v1/switches")["items"]
    meant = [each for each in known if switch in (None, each["dpid"], each["name"])]
    if switch is not None and not meant:
        raise RequestFailed(f"switch: there is no switch {switch}; `prewire switch list` shows all")
    found = [client.call("POST", f"/v1/switches/{each['dpid']}/diff") for each in meant]
    if output is Output.JSON:
        show.as_json({"items": found})
    for each in found if output is Output.TABLE else ():
        show.lines(f"switch {each['switch']}: {each['missing']} missing, {each['alien']} alien")
        show.lines(*(f"  {line}" for line in each["lines"]))
    if any(each["missing"] or each["alien"] for each in found):
        raise typer.Exit(DIFFERENCES)


def explain(
    what: Annotated[str, typer.Argument(help="A packet, as in in_port=1,tcp,… or a flow.")],
    switch: SwitchName = None,
    api: Api = None,
    output: Form = Output.TABLE,
) -> None:
    """Explain a packet's way, or where a flow (a line of ovs-ofctl dump-flows) comes from."""
    kind = "flow" if "actions=" in what else "packet"
    params = {kind: what, **({"switch": switch} if switch else {})}
    found = _client(api).call("GET", f"/v1/explain/{kind}", params=params)
    if output is Output.JSON:
        show.as_json(found)
    elif kind == "flow":
        wanted = found["wanted"] or "no: nothing in the database asks for it"
        show.lines(f"owner   {found['owner']}", f"origin  {found['origin'] or '-'}")
        show.lines(f"wanted  {wanted}")
    else:
        for step in found["steps"]:
            show.lines(f"{step['table']:10} {step['match']}", f"{'':10}   -> {step['actions']}")
            show.lines(*([f"{'':10}   because of {step['origin']}"] if step["origin"] else []))
        show.lines(*found["choices"], *(f"leaves: {each}" for each in found["outputs"]))
