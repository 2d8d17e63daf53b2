"""`prewire apply` and `prewire plan`: a file of objects, through the REST server."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated, Any, Final

import typer

from nib.rates import read_rate, show_rate
from nib.times import show_instant
from prewire.commands import show
from prewire.commands.command_options import DIFFERENCES, Api, Form, Wait, client, waiting
from prewire.commands.show import Output
from prewire.documents import document as apply_document

_SIGNS: Final = {"created": "+", "changed": "~", "deleted": "-"}

File = Annotated[
    Path, typer.Option("--file", "-f", help="YAML file of what is wanted; - for standard input.")
]
Prune = Annotated[
    bool,
    typer.Option("--prune", help="Of the kinds that the file lists, delete what it does not list."),
]


def add(app: typer.Typer) -> None:
    """Add the commands."""
    app.command()(apply)
    app.command()(plan)


def apply(
    *,
    file: File,
    prune: Prune = False,
    wait: Wait = False,
    api: Api = None,
    output: Form = Output.TABLE,
) -> None:
    """Make everything as a file lists it (services, classes, policies, link rates, scalings,
    provisionings, schedules, overrides, dependencies), or change nothing where anything is wrong.
    """
    _print(_applied(file, api, prune=prune, query=waiting(wait)), output, "done")


def plan(*, file: File, prune: Prune = False, api: Api = None, output: Form = Output.TABLE) -> None:
    """Show what `apply` would change, and change nothing; exit code 3 if there is anything."""
    found = _applied(file, api, prune=prune, query={"dry_run": "true"})
    _print(found, output, "plan")
    if set(found["counts"]) - {"unchanged"}:
        raise typer.Exit(DIFFERENCES)


def _applied(file: Path, api: str | None, *, prune: bool, query: dict[str, str]) -> Any:
    is_input = str(file) == "-"
    text = sys.stdin.buffer.read() if is_input else file.read_bytes()
    document = apply_document.read("standard input" if is_input else str(file), text)
    pruning = {"prune": "true"} if prune else {}
    return client(api).call("POST", "/v1/apply", json=document, params={**query, **pruning})


def _print(found: Any, output: Output, what: str) -> None:
    if show.as_data(found, output):
        return
    for each in found["objects"]:
        if each["outcome"] in _SIGNS:
            show.lines(f"{_SIGNS[each['outcome']]} {each['kind'].replace('_', ' ')} {each['name']}")
            show.lines(*(f"    {_change(field)}" for field in each["fields"]))
    counts = found["counts"]
    parts = [
        f"{counts[outcome]} {outcome}" for outcome in (*_SIGNS, "unchanged") if outcome in counts
    ]
    show.lines(f"{what}: {', '.join(parts) or 'nothing'}")


def _change(field: Any) -> str:
    """As in "max_bps 10M -> 50M"."""
    before, after = (_value(field["field"], field[side]) for side in ("before", "after"))
    return f"{field['field']} {after if field['before'] is None else f'{before} -> {after}'}"


def _value(name: str, text: str | None) -> str:
    if text is None:
        return "none"
    if name == "until_ms":
        return show_instant(int(text))
    if not name.endswith("bps") or not text.isdecimal():
        return text
    shown = show_rate(int(text))
    return shown if read_rate(shown) == int(text) else text  # a small difference is shown too
