"""Commands on switches and on the whole, through the REST server."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from nib.fields import check_dpid
from prewire.commands import columns, show
from prewire.commands.client import RequestFailed
from prewire.commands.command_options import (
    DIFFERENCES,
    NO_SWITCH,
    AnySwitch,
    Api,
    Form,
    client,
    print_rows,
)
from prewire.commands.show import Output

switch_group = typer.Typer(no_args_is_help=True, help="Switches: Open vSwitch bridges.")


def add(app: typer.Typer) -> None:
    """Add the commands."""
    app.add_typer(switch_group, name="switch")
    app.command()(status)
    app.command()(diff)


@switch_group.command("list")
def list_switches(api: Api = None, output: Form = Output.TABLE) -> None:
    """List all switches that ever connected."""
    print_rows(client(api).call("GET", "/v1/switches"), output, columns.SWITCH)


@switch_group.command("forget")
def forget_switch(
    dpid: Annotated[str, typer.Argument(help="The datapath id.")], api: Api = None
) -> None:
    """Forget a switch that is gone for good; --wait no longer awaits it. Containers stay."""
    server, path = client(api), f"/v1/switches/{check_dpid('dpid', dpid)}"
    server.call("GET", path)
    stations = server.call("GET", "/v1/hosts", params={"switch": dpid})["items"]
    server.call("DELETE", path)
    left = sorted(name for station in stations for name in station["containers"])
    show.lines(*([f"registered there, without a place now: {', '.join(left)}"] if left else []))


def status(api: Api = None, output: Form = Output.TABLE) -> None:
    """Show the state of the whole."""
    found = client(api).call("GET", "/v1/status")
    if show.as_data(found, output):
        return
    show.lines(
        f"generation {found['generation']}, {_leader(found)}, "
        f"database {found['database'] or 'unknown'}",
        f"{found['services']} services, containers: {found['containers_ready']} ready, "
        f"{found['containers_draining']} draining, {found['containers_not_placed']} not placed",
        *_exceptions(found),
    )
    if found["switches"]:
        show.rows(columns.SWITCH, found["switches"])
    else:
        show.lines(NO_SWITCH)


def _leader(found: Any) -> str:
    """Who leads, and in which epoch."""
    return f"leader {found['leader']} in epoch {found['epoch']}" if found["leader"] else "no leader"


def _exceptions(found: Any) -> list[str]:
    """What is not as it should be, a line each."""
    usual = ("ready", "draining", "unplaced")
    others = [f"{n} {state}" for state, n in found["containers"].items() if state not in usual]
    idle = found["services_without_containers"]
    lines = [f"further containers: {', '.join(others)}"] if others else []
    lines += [f"services without a container: {', '.join(idle)}"] if idle else []
    lines += _policies(found)
    lines += _broken_links(found)
    lines += [
        f"ejected: {each['service']}/{each['container']} until {each['until_ms']} ms: "
        f"{each['reason'] or 'failed connections'}"
        for each in found["ejected"]
    ]
    lines += [
        f"demand: {each['service']}, {each['packets']} packets, last at {each['at_ms']} ms"
        for each in found["demand"]
    ]
    return lines


def _policies(found: Any) -> list[str]:
    """Policies that wait or are short."""
    waiting, short = found["policies"].get("waiting", 0), found["policies_short"]
    lines = [f"policies that wait for their services: {waiting}"] if waiting else []
    return lines + ([f"guarantees that links cannot carry: {', '.join(short)}"] if short else [])


def _broken_links(found: Any) -> list[str]:
    broken = found["links_with_problem"]
    return [f"links that carry nothing: {broken} of {found['links']}"] if broken else []


def diff(switch: AnySwitch = None, api: Api = None, output: Form = Output.TABLE) -> None:
    """Read switches back and show missing and alien flows; exit code 3 if there are any."""
    server = client(api)
    known = server.call("GET", "/v1/switches")["items"]
    meant = [each for each in known if switch in (None, each["dpid"], each["name"])]
    if switch is not None and not meant:
        raise RequestFailed(f"switch: there is no switch {switch}; `prewire switch list` shows all")
    found = [server.call("POST", f"/v1/switches/{each['dpid']}/diff") for each in meant]
    as_data = show.as_data({"items": found}, output)
    for each in () if as_data else found:
        show.lines(f"switch {each['switch']}: {each['missing']} missing, {each['alien']} alien")
        show.lines(*(f"  {line}" for line in each["lines"]))
    if any(each["missing"] or each["alien"] for each in found):
        raise typer.Exit(DIFFERENCES)
