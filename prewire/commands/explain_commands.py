"""The command `explain`, through the REST server: a packet's way, a flow's or meter's origin."""

from __future__ import annotations

from collections.abc import Callable
from itertools import groupby
from typing import Annotated, Any, Final

import typer

from nib.rates import show_rate
from nib.times import show_instant
from prewire.commands import show
from prewire.commands.command_options import Api, Form, client
from prewire.commands.show import Output

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


_METER_COLUMNS: Final = {
    "SWITCH": "switch_name",
    "DPID": "switch",
    "RATE": "rate",
    "BURST": "burst",
}


def add(app: typer.Typer) -> None:
    """Add the command."""
    app.command()(explain)


def explain(
    what: Annotated[
        list[str],
        typer.Argument(help="A packet, as in in_port=1,tcp,…, a flow, or: meter ID."),
    ],
    switch: SwitchName = None,
    api: Api = None,
    output: Form = Output.TABLE,
) -> None:
    """Explain a packet's way, or where a flow (a line of ovs-ofctl dump-flows) or meter is from."""
    kind, text = _asked(what)
    at_switch = {"switch": switch} if switch and kind != "meter" else {}
    found = client(api).call("GET", f"/v1/explain/{kind}", params={kind: text, **at_switch})
    if not show.as_data(found, output):
        _SHOWN[kind](found)


def _asked(words: list[str]) -> tuple[str, str]:
    """What is to be explained, and the text that says it."""
    if words[0] == "meter":
        if len(words) != 2 or not words[1].isdigit():
            raise typer.BadParameter("write it as in: meter 69634")
        return "meter", words[1]
    text = " ".join(words)
    return ("flow" if "actions=" in text else "packet"), text


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
    if found["policy"]:
        show.lines(*_policy_lines(found["policy"]))
    if found["containers"]:
        show.rows(_COLUMNS, found["containers"])


def _policy_lines(found: Any) -> list[str]:
    """The policy and class that govern a packet."""
    of_class = f"class {found['qos_class']}: DSCP {found['dscp']}, queue {found['queue']}"
    if not found["policy"]:
        return [f"no policy governs it; {of_class}"]
    because = f" ({found['reason']})" if found["reason"] else ""
    lines = [f"policy {found['policy']} governs it, {found['state']}{because}; {of_class}"]
    stated = {
        "guaranteed": _rate(found["guaranteed_bps"]),
        "at most": _rate(found["max_bps"]),
        "and": found["max_pps"] and f"{found['max_pps']} packets/s",
    }
    said = ", ".join(f"{words} {value}" for words, value in stated.items() if value)
    if found["rates_by"]:
        said += f" (by {found['rates_by']}, until {show_instant(found['rates_until_ms'])})"
    lines += [f"{'':10}{said}"] if said else []
    here = [_rate(found["share_bps"]), found["share_pps"] and f"{found['share_pps']} packets/s"]
    passed = " and ".join(each for each in here if each)
    meters = ", ".join(map(str, found["meters"]))
    if passed:
        lines.append(f"{'':10}switch {found['switch']} lets {passed} through, meter {meters}")
    return lines


def _rate(bps: int | None) -> str:
    return "" if bps is None else show_rate(bps)


def _show_meter(found: Any) -> None:
    counted = f", of its {found['counts']}" if found["policy"] else ""
    show.lines(f"meter {found['meter']}: {found['owner']}{counted}")
    if found["switches"]:
        show.rows(_METER_COLUMNS, [_meter_row(each, found["counts"]) for each in found["switches"]])
    else:
        show.lines("no switch should have it")


def _meter_row(wanted: Any, counts: str) -> dict[str, str]:
    """In the words of policies: rates in bits a second."""
    if counts == "packets":
        rate, burst = f"{wanted['rate']} packets/s", f"{wanted['burst']} packets"
    else:
        rate, burst = show_rate(wanted["rate"] * 1000), f"{wanted['burst']} kb"
    return {**wanted, "rate": rate, "burst": burst}


def _place(step: Any) -> tuple[str, str]:
    return step["switch"], step["switch_name"]


def _show_step(step: Any) -> None:
    show.lines(f"{step['table']:10} {step['match']}", f"{'':10}   -> {step['actions']}")
    if step["origin"]:
        show.lines(f"{'':10}   because of {step['origin']}")


_SHOWN: Final[dict[str, Callable[[Any], None]]] = {
    "packet": _show_packet,
    "flow": _show_flow,
    "meter": _show_meter,
}
