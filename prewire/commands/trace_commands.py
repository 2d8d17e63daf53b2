"""`prewire trace`: what this machine's switch does with a packet, and the intent of its flows.

`explain` tells what is wanted, by the database; `trace` what is installed, by the switch itself.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import Annotated, Any, Final

import typer

from openflow import cookies
from openflow.tables import table_name
from prewire import settings
from prewire.commands import show
from prewire.commands.client import Client, RequestFailed
from prewire.commands.command_options import Api, Form, client
from prewire.commands.show import Output
from prewire.explaining.tracing import Pass, Step, ports_of, read_trace
from prewire.host.ovs import Bridge, OpenVSwitch, OvsFailed, switch_database
from prewire.host.tracing import bridge_called
from prewire.host.tracing import trace as traced

_HASH: Final = 1  # any but 0, which a switch takes for not known yet


def add(app: typer.Typer) -> None:
    """Add the command."""
    app.command()(trace)


def trace(
    packet: Annotated[
        list[str], typer.Argument(metavar="PACKET", help="As in in_port=1,tcp,nw_dst=10.0.0.100,…")
    ],
    *,
    switch: Annotated[
        str | None,
        typer.Option("--switch", help="Bridge name or datapath id. [default: the only one here]"),
    ] = None,
    ct_next: Annotated[
        list[str] | None,
        typer.Option(
            metavar="STATES",
            help="What conntrack finds, as in trk,est; again for the next time. [default: trk,new]",
        ),
    ] = None,
    dp_hash: Annotated[
        int,
        typer.Option(
            "--hash", min=1, max=2**32 - 1, help="By which the switch picks slots of services."
        ),
    ] = _HASH,
    api: Api = None,
    output: Form = Output.TABLE,
) -> None:
    """Trace a packet through this machine's switch.

    Each flow that takes it is shown with the intent that it is of; no packet is really sent. Run it
    as root. `explain` shows what should happen.
    """
    remote = switch_database(settings.load())
    if not remote:
        raise OvsFailed("switch_db: this machine runs no Open vSwitch; start it, or set switch_db")
    ovs = OpenVSwitch(remote)
    bridge = bridge_called(ovs, switch)
    text = ",".join(packet)
    if "dp_hash" not in text:
        text += f",dp_hash={dp_hash:#x}"
    passes = read_trace(traced(ovs, bridge.name, text, ct_next or ()))
    told = _annotated(passes, bridge, client(api))
    if not show.as_data(told, output):
        _print(told)


def _annotated(passes: Sequence[Pass], bridge: Bridge, server: Client) -> dict[str, Any]:
    """The way, as JSON has it, each step with what its flow is of."""
    asked = _Origins(server, bridge.dpid)
    return {
        "switch": bridge.dpid,
        "switch_name": bridge.name,
        "passes": [
            asdict(one) | {"steps": [_step(each, asked) for each in one.steps]} for one in passes
        ],
        "datapath_ports": ports_of(passes),
        "not_explained": asked.failure,
    }


def _step(step: Step, asked: _Origins) -> dict[str, Any]:
    name = table_name(step.table)
    return {**asdict(step), "table_name": name, "cookie": f"{step.cookie:#x}", **asked.of(step)}


class _Origins:
    """What flows are of, as the REST server tells; where it does not, what cookies tell."""

    def __init__(self, server: Client, dpid: str) -> None:
        self._server = server
        self._dpid = dpid
        self.failure = ""

    def of(self, step: Step) -> dict[str, Any]:
        """owner, origin, and whether the database wants the flow; null: not known."""
        unknown = {"owner": _by_cookie(step), "origin": "", "wanted": None}
        if step.priority is None or self.failure:
            return unknown
        query = {"flow": step.flow, "switch": self._dpid}
        try:
            found = self._server.call("GET", "/v1/explain/flow", params=query)
        except RequestFailed as error:
            if not error.status:
                self.failure = str(error)
            return unknown
        return {key: found[key] for key in ("owner", "origin")} | {"wanted": bool(found["wanted"])}


def _by_cookie(step: Step) -> str:
    if step.priority is None:
        return "no flow takes it"
    cookie = cookies.read(step.cookie)
    if cookie is None:
        return "not prewire's: its cookie does not begin with 0x70"
    return f"{cookie.kind.name.lower()} number {cookie.number}, written in epoch {cookie.epoch}"


# ------------------------------------------------------------------------------- for people


def _print(told: Any) -> None:
    for number, one in enumerate(told["passes"]):
        if number:
            show.lines(f"again: {one['why']}")
        for step in one["steps"]:
            show.lines(*_step_lines(step))
        show.lines(f"datapath   {one['datapath'] or 'nothing'}")
        show.lines(*(f"{'':10} {each}" for each in one["remarks"]))
    leaves = ", ".join(told["datapath_ports"])
    show.lines(f"leaves by port {leaves} of the datapath" if leaves else "leaves by no port")
    if told["not_explained"]:
        show.complain(f"not explained: {told['not_explained']}")


def _step_lines(step: Any) -> list[str]:
    if step["priority"] is None:
        return [f"{step['table_name']:10} no match"]
    alien = "" if step["wanted"] is not False else "; nothing in the database asks for it"
    because = step["origin"] or step["owner"]
    return [
        f"{step['table_name']:10} {step['match'] or 'any packet'}, priority {step['priority']}",
        f"{'':10}   -> {','.join(step['actions']) or 'drop'}",
        *(f"{'':10}      {note}" for note in step["notes"]),
        f"{'':10}   because of {because}{alien}",
    ]
