"""Generated documentation of what users touch: commands, metrics, REST.

Each function returns Markdown made from the thing itself: typer's commands, the metrics
registry, the OpenAPI description. Order is theirs; nothing depends on a version of theirs.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from contextlib import closing
from enum import Enum
from functools import cache
from typing import Any

import typer
from prometheus_client import CollectorRegistry
from prometheus_client.core import Metric

from gateway_lb.reports import ReportDesk
from nib.database import Nib
from predictor.running.measures import PredictorMeasures
from prewire.api import server as rest
from prewire.api.watching.routes import watching
from prewire.commands import tree
from ryu_apps.collectors import collectors
from ryu_apps.discovery_measures import LinkMeasures, StationMeasures
from ryu_apps.measures import Measures
from ryu_apps.punt_measures import PuntMeasures


def table(headings: Iterable[str], rows: Iterable[Iterable[str]]) -> str:
    """A Markdown table."""
    named = list(headings)
    lines = [named, ["---"] * len(named), *rows]
    return "".join("| " + " | ".join(map(_cell, row)) + " |\n" for row in lines)


def _cell(text: str) -> str:
    return text.replace("|", "\\|")


# ------------------------------------------------------------------------------- commands


@cache
def _all_commands() -> tuple[tuple[str, Any], ...]:
    """Every command that does something, with its name."""
    return tuple(_leaves(typer.main.get_command(tree.app()), ""))


def command_names() -> list[str]:
    """Every command that does something, as in "service set"."""
    return [name for name, _ in _all_commands()]


def commands() -> str:
    """Every command with its arguments and options."""
    return "\n".join(_command(name, command) for name, command in _all_commands())


def _leaves(group: Any, prefix: str) -> Iterator[tuple[str, Any]]:
    for name, command in group.commands.items():
        if hasattr(command, "commands"):
            yield from _leaves(command, f"{prefix}{name} ")
        else:
            yield f"{prefix}{name}", command


def _command(name: str, command: Any) -> str:
    parameters = [each for each in command.params if each.name != "help"]
    words = [_usage(each) for each in parameters if not _is_option(each)]
    usage = " ".join(["prewire", name, *words, "[OPTIONS]"])
    lines = [f"## prewire {name}\n", f"{command.help}\n", f"```\n{usage}\n```\n"]
    if name in ("up", "controller", "api", "node", "predictor"):
        lines.append(
            "Takes a flag for every setting: see [settings](configuration.md). "
            "`--state-dir PATH` is the setting `state_dir`.\n"
        )
    elif parameters:
        rows = ((_spelling(each), each.help or "", _default(each)) for each in parameters)
        lines.append(table(("argument or option", "meaning", "default"), rows))
    return "\n".join(lines)


def _is_option(parameter: Any) -> bool:
    return any(word.startswith("-") for word in parameter.opts)


def _usage(argument: Any) -> str:
    word = argument.name.upper()
    return word if argument.required else f"[{word}]"


def _spelling(parameter: Any) -> str:
    if not _is_option(parameter):
        return f"`{parameter.name.upper()}`"
    words = [*parameter.opts, *parameter.secondary_opts]
    return ", ".join(f"`{word}`" for word in words)


def _default(parameter: Any) -> str:
    default = parameter.default
    if parameter.required:
        return "required"
    if parameter.envvar:
        return f"`{parameter.envvar}`"
    if isinstance(default, Enum):
        default = default.value
    return f"`{default}`" if isinstance(default, str | int | float) else ""


# ------------------------------------------------------------------------------- metrics


def metrics_table() -> str:
    """Every metric the controller exports, with its labels."""
    registry = CollectorRegistry()
    kinds = (Measures, LinkMeasures, StationMeasures, PuntMeasures)
    measures = [kind(registry) for kind in kinds]
    with closing(Nib("unix:/nowhere", "docs")) as nib:
        read = (family for each in collectors(nib) for family in each.collect())
        families = [*registry.collect(), *read]
    return _metrics(families, measures)


def api_metrics_table() -> str:
    """Every metric the REST server exports, with its labels."""
    with closing(Nib("unix:/nowhere", "docs")) as nib:
        registry, measures = rest.registry_of(ReportDesk(nib), watching(nib))
        return _metrics(registry.collect(), [measures])


def predictor_metrics_table() -> str:
    """Every metric a predictor exports, with its labels."""
    registry = CollectorRegistry()
    measures = PredictorMeasures(registry)
    return _metrics(registry.collect(), [measures])


def _metrics(families: Iterable[Metric], measures: Iterable[object]) -> str:
    """families: what is exported; measures: hold those metrics that carry their own labels."""
    counted = (metric for each in measures for metric in vars(each).values())
    measures_labels = {metric._name: metric._labelnames for metric in counted}
    rows = []
    for family in families:
        labels = getattr(family, "_labelnames", measures_labels.get(family.name, ()))
        name = f"{family.name}_total" if family.type == "counter" else family.name
        shown = ", ".join(f"`{label}`" for label in labels)
        rows.append((f"`{name}`", family.type, shown, family.documentation))
    return table(("metric", "type", "labels", "meaning"), rows)


# ------------------------------------------------------------------------------- REST


def _openapi() -> Any:
    with closing(Nib("unix:/nowhere", "docs")) as nib:
        return rest.application(nib).openapi()


def _operations(spec: Any) -> Iterator[tuple[str, str, Any]]:
    for path, methods in spec["paths"].items():
        for method, operation in methods.items():
            yield path, method, operation


def routes() -> str:
    """Every route: what it does, its query parameters, what it takes and answers."""
    sections = []
    for path, method, operation in _operations(_openapi()):
        says = operation.get("description") or _spoken(operation["summary"])
        lines = [f"### {method.upper()} {path}\n", f"{says}\n"]
        query = [each for each in operation.get("parameters", ()) if each["in"] == "query"]
        if query:
            rows = (
                (
                    f"`{each['name']}`",
                    _type(each["schema"]),
                    "required" if each["required"] else _code(each["schema"].get("default")),
                    each.get("description", ""),
                )
                for each in query
            )
            lines.append(table(("query", "type", "default", "meaning"), rows))
        body = operation.get("requestBody")
        if body:
            lines.append(f"Body: {_schema_link(_json(body))}.\n")
        answers = [
            f"{code} {_schema_link(_json(answer))}".strip()
            for code, answer in sorted(operation["responses"].items())
            if code.isdigit()
        ]
        lines.append(f"Answers: {', '.join(answers)}.\n")
        sections.append("\n".join(lines))
    return "\n".join(sections)


def _spoken(summary: str) -> str:
    """ "Put Service" as people say it."""
    verb, _, objects = summary.lower().partition(" ")
    verbs = {"get": "Read the", "put": "Create or replace the", "delete": "Delete the"}
    return f"{verbs.get(verb, verb.capitalize())} {objects}."


def bodies() -> str:
    """Every JSON object of requests and answers, with its fields."""
    sections = []
    for name, schema in _openapi()["components"]["schemas"].items():
        if "Validation" in name:
            continue
        needed = schema.get("required", ())
        rows = (
            (
                f"`{field}`",
                _type(declared),
                "yes" if field in needed else _code(declared.get("default")),
                declared.get("description", ""),
            )
            for field, declared in schema["properties"].items()
        )
        headings = ("field", "type", "always there, or default", "meaning")
        sections.append(f"### {name}\n\n{schema['description']}\n\n{table(headings, rows)}")
    return "\n".join(sections)


def _json(message: Mapping[str, Any]) -> Any:
    return message.get("content", {}).get("application/json", {}).get("schema")


def _schema_link(schema: Any) -> str:
    if not schema or "$ref" not in schema:
        return ""
    name = schema["$ref"].rpartition("/")[2]
    return f"[{name}](#{name.lower()})"


def _code(value: Any) -> str:
    return "" if value is None else f"`{value}`"


def _type(schema: Any) -> str:
    if "anyOf" in schema:
        return " or ".join(_type(each) for each in schema["anyOf"])
    if "$ref" in schema:
        return _schema_link(schema)
    if "const" in schema:
        return f"`{schema['const']}`"
    if "enum" in schema:
        return " or ".join(f"`{each}`" for each in schema["enum"])
    if schema.get("type") == "array":
        return f"list of {_type(schema['items'])}"
    return str(schema["type"]).replace("integer", "int").replace("string", "text") + _range(schema)


def _range(schema: Any) -> str:
    low = schema.get("minimum", schema.get("exclusiveMinimum"))
    high = schema.get("maximum", schema.get("exclusiveMaximum"))
    if low is None or high is None:
        return ""
    return f", {'over ' if 'exclusiveMinimum' in schema else ''}{low:g} to {high:g}"
