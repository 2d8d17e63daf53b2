"""The command `explain`, through the REST server: a packet's way, or where a flow comes from."""

from __future__ import annotations

from itertools import groupby
from typing import Annotated, Any, Final

import typer

from prewire import show
from prewire.command_options import Api, Form, client
from prewire.show import Output

SwitchName = Annotated[
    str | None, typer.Option("--switch", help="Datapath id or bridge name. [default: the only one]")
]

_COLUMNS: Final = {
    "SERVICE": "service",
    "CONTAINER": "id",
    "STATE": "state",
    "SLOTS": "slots",
    "OF": "slots_in_all",
    "REASON": "reason",
}


def explain(
    what: Annotated[str, typer.Argument(help="A packet, as in in_port=1,tcp,… or a flow.")],
    switch: SwitchName = None,
    api: Api = None,
    output: Form = Output.TABLE,
) -> None:
    """Explain a packet's way, or where a flow (a line of ovs-ofctl dump-flows) comes from."""
    kind = "flow" if "actions=" in what else "packet"
    params = {kind: what, **({"switch": switch} if switch else {})}
    found = client(api).call("GET", f"/v1/explain/{kind}", params=params)
    if output is Output.JSON:
        show.as_json(found)
    elif kind == "flow":
        _show_flow(found)
    else:
        _show_packet(found)


def _show_flow(found: Any) -> None:
    wanted = found["wanted"] or "no: nothing in the database asks for it"
    show.lines(f"owner   {found['owner']}", f"origin  {found['origin'] or '-'}")
    show.lines(f"wanted  {wanted}")
    if found["route"]:
        show.lines(f"route   to switch {found['route']}")


def _show_packet(found: Any) -> None:
    """Its steps, under a heading for each switch where there are several."""
    for (dpid, name), steps in groupby(found["steps"], key=_place):
        if len(found["path"]) > 1:
            show.lines(f"switch {name} ({dpid})")
        for step in steps:
            _show_step(step)
    show.lines(*found["choices"], *(f"leaves: {each}" for each in found["outputs"]))
    if found["containers"]:
        show.rows(_COLUMNS, found["containers"])


def _place(step: Any) -> tuple[str, str]:
    return step["switch"], step["switch_name"]


def _show_step(step: Any) -> None:
    show.lines(f"{step['table']:10} {step['match']}", f"{'':10}   -> {step['actions']}")
    if step["origin"]:
        show.lines(f"{'':10}   because of {step['origin']}")
