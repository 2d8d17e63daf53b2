"""Generated documentation of the state database: its tables, as schema and records say.

Must not know: who reads or writes a row; the records' docstrings say that.
"""

from __future__ import annotations

import inspect
from typing import Any

from nib.rows import KINDS, packaged_schema
from prewire.docs.interfaces import table


def tables() -> str:
    """Every table: what a row is, its columns, what tells rows apart."""
    return "\n".join(_table(name, said) for name, said in packaged_schema()["tables"].items())


def _table(name: str, said: Any) -> str:
    rows = [
        (f"`{column}`", _type(declared["type"]), "" if declared.get("mutable", True) else "yes")
        for column, declared in said["columns"].items()
    ]
    lines = [f"### {name}\n", f"{_meaning(name)}\n"]
    lines.append(table(("column", "type", "never changes"), rows))
    lines.append(f"{_keys(said)}\n")
    return "\n".join(lines)


def _meaning(name: str) -> str:
    """A record's docstring, its first words a paragraph each."""
    text = inspect.getdoc(KINDS[name])
    assert text, f"{name} has no docstring"  # noqa: S101 - a test would name it
    return text.replace("<", "&lt;")


def _keys(said: Any) -> str:
    """What no two rows have in common."""
    if said.get("maxRows") == 1:
        return "There is one row."
    unique = ("`" + "`, `".join(columns) + "`" for columns in said["indexes"])
    return f"No two rows have the same {'; nor '.join(unique)}."


def _type(declared: Any) -> str:
    """An OVSDB type, RFC 7047 section 3.2, in words."""
    if isinstance(declared, str):
        return _base(declared)
    base = _base(declared["key"])
    if "value" in declared:
        base = f"{base} to {_base(declared['value'])}"
    low, high = declared.get("min", 1), declared.get("max", 1)
    if (low, high) == (0, 1):
        return f"{base}, or none"
    return base if high == 1 else f"{base}, {low} to {high} of them"


def _base(declared: Any) -> str:
    if isinstance(declared, str):
        return {"string": "text", "integer": "int"}.get(declared, declared)
    if "refTable" in declared:
        return f"row of [{declared['refTable']}](#{declared['refTable'].lower()})"
    if "enum" in declared:
        return " or ".join(f"`{each}`" if each else "empty" for each in declared["enum"][1])
    return _base(declared["type"]) + _range(declared)


def _range(declared: Any) -> str:
    low, high = declared.get("minInteger"), declared.get("maxInteger")
    if low is None:
        return ""
    return f", {low} or more" if high is None else f", {low} to {high}"
