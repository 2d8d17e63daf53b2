"""How the command line prints things: tables for people, JSON and YAML for programs."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from enum import StrEnum
from typing import Any, Final

from rich.console import Console
from rich.table import Table
from rich.text import Text

_UNBOUNDED: Final = 10_000  # columns; a cell is never cut, whatever the terminal's width


class Output(StrEnum):
    """The forms of output."""

    TABLE = "table"
    JSON = "json"
    YAML = "yaml"


def as_json(value: Any) -> None:
    """The value, for programs."""
    Console(soft_wrap=True, highlight=False).print_json(json.dumps(value))


def as_yaml(value: Any) -> None:
    """The value, for people who like it whole, and for `apply`."""
    import yaml  # noqa: PLC0415 - only here

    text = yaml.safe_dump(value, sort_keys=False, allow_unicode=True, default_flow_style=False)
    lines(text.rstrip("\n"))


def as_data(value: Any, form: Output) -> bool:
    """Print the value as JSON or YAML where that is the form; whether it was."""
    if form is Output.JSON:
        as_json(value)
    elif form is Output.YAML:
        as_yaml(value)
    return form is not Output.TABLE


def rows(columns: Mapping[str, str], items: Sequence[Mapping[str, Any]]) -> None:
    """A table; columns: heading -> key. No markup in cells is interpreted."""
    table = Table(box=None, pad_edge=False, header_style="bold")
    for heading in columns:
        table.add_column(heading, no_wrap=True)
    for item in items:
        table.add_row(*(Text(cell(item.get(key))) for key in columns.values()))
    Console(soft_wrap=True, width=_UNBOUNDED).print(table)


def lines(*texts: str) -> None:
    """Plain lines; no markup in them is interpreted."""
    console = Console(soft_wrap=True, markup=False, highlight=False)
    for text in texts:
        console.print(text)


def complain(text: str) -> None:
    """One line on standard error."""
    Console(stderr=True, soft_wrap=True, markup=False, highlight=False).print(f"prewire: {text}")


def cell(value: Any) -> str:
    """A value as a table shows it."""
    if value is None or value == "":
        return "-"
    if isinstance(value, bool):
        return "yes" if value else "no"
    return str(value)
