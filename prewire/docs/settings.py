"""The configuration reference and the example of a settings file, both made from `Settings`.

Owns: which process a setting is for, and how its type, range and default read.
Must not know: what a setting does; its description says that.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from functools import cache
from typing import Any, Final

from prewire.docs.interfaces import table
from prewire.settings import Settings

# Who reads a setting, by how its name begins; the first that fits counts.
_GROUPS: Final[Mapping[str, tuple[str, ...]]] = {
    "All processes": ("state_dir", "nib", "tls", "log_", "otel_"),
    "REST server": ("api_", "access", "oidc_", "report_tick_ms"),
    "Controller": (
        "controller_",
        "metrics_",
        "switch_db",
        "stats_seconds",
        "audit_seconds",
        "tick_ms",
        "probe_ms",
    ),
    "Predictor": (
        "predictor_",
        "scrape",
        "prometheus",
        "history_days",
        "refit_minutes",
        "dask",
        "container_commands",
        "events_sink",
    ),
    "Node agent": ("node_",),
}
_OTHERS: Final = "Others"

_WIDTH: Final = 96


def group_of(name: str) -> str:
    """The process that a setting is for."""
    fits = (group for group, starts in _GROUPS.items() if name.startswith(starts))
    return next(fits, _OTHERS)


def reference() -> str:
    """Every setting in a table for each process."""
    sections = []
    for group, names in _grouped():
        rows = (
            (f"`{name}`", _type(name), _shown_default(name), _field(name).description or "")
            for name in names
        )
        headings = ("setting", "type", "default", "meaning")
        sections.append(f"### {group}\n\n{table(headings, rows)}")
    return "\n".join(sections)


def example_file() -> str:
    """prewire.toml with every setting in a comment, as its default is."""
    lines = [
        "# Settings of prewire: /etc/prewire/prewire.toml, or the file that PREWIRE_CONFIG names.",
        "# Flags and variables (PREWIRE_ and the name in capitals) win over it. What is here is",
        "# the default; take the # away to change it. Made by `make docs`.",
    ]
    for group, names in _grouped():
        lines += ["", f"# ---- {group}"]
        for name in names:
            lines += ["", *_commented(f"{_field(name).description} ({_plain_type(name)})")]
            lines.append(_assignment(name))
    return "\n".join(lines) + "\n"


def _grouped() -> Iterator[tuple[str, list[str]]]:
    for group in (*_GROUPS, _OTHERS):
        names = [name for name in Settings.model_fields if group_of(name) == group]
        if names:
            yield group, names


def _assignment(name: str) -> str:
    default = _field(name).default
    return f"# {name} is not set" if default is None else f"# {name} = {_toml(default)}"


def _field(name: str) -> Any:
    return Settings.model_fields[name]


def _shown_default(name: str) -> str:
    default = _field(name).default
    return "" if default in (None, "") else f"`{_toml(default)}`"


def _plain_type(name: str) -> str:
    return _type(name).replace("`", "")


def _type(name: str) -> str:
    schema = _schemas()[name]
    if "anyOf" in schema:
        schema = schema["anyOf"][0]
    if "enum" in schema:
        return " or ".join(f"`{each}`" for each in schema["enum"])
    kind = {"integer": "whole number", "string": "text", "boolean": "`true` or `false`"}
    if schema.get("format") == "path":
        return "path"
    return kind.get(schema["type"], str(schema["type"])) + _range(schema)


@cache
def _schemas() -> dict[str, Any]:
    """JSON Schema of every setting."""
    return dict(Settings.model_json_schema()["properties"])


def _range(schema: Mapping[str, Any]) -> str:
    low, above = schema.get("minimum"), schema.get("exclusiveMinimum")
    high = schema.get("maximum")
    if low is not None and high is not None:
        return f", {low:,} to {high:,}"
    if above is not None:
        return f", over {above:g}" + ("" if high is None else f", to {high:,g}")
    return "" if low is None else f", {low:,} or more"


def _toml(value: object) -> str:
    """A value as TOML has it; JSON's texts, numbers and truths are TOML's."""
    return json.dumps(value, default=str)


def _commented(text: str) -> Iterator[str]:
    line = "#"
    for word in text.split():
        if len(line) + 1 + len(word) > _WIDTH:
            yield line
            line = "#"
        line += f" {word}"
    yield line
