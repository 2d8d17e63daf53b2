"""The words of the command line as `prewire.commands.completing` reads them: words.json.

Made from typer's commands and the table of kinds; written by `make docs`, held by a test.
"""

from __future__ import annotations

import json
from enum import Enum
from typing import Any, Final, Literal, get_args, get_origin

import typer

from prewire.commands import tree
from prewire.commands.completing import CHOICE, KIND, KIND_AND_NAME, NAMES, OF_KIND
from prewire.commands.kinds import KINDS

_ANY: Final = "?"
_LONGEST: Final = 70

# What an argument or option of this name takes, in whichever command.
_BY_NAME: Final = {
    "service": f"{NAMES}services",
    "source": f"{NAMES}services",
    "destination": f"{NAMES}services",
    "parent": f"{NAMES}services",
    "child": f"{NAMES}services",
    "policy": f"{NAMES}policies",
    "qos_class": f"{NAMES}classes",
    "dpid": f"{NAMES}switches",
    "switch": f"{NAMES}switches",
    "mac": f"{NAMES}hosts",
    "request": f"{NAMES}prewarm-requests",
    "container_id": f"{NAMES}containers:id",
}
# The same, where that depends on the command.
_BY_PLACE: Final = {
    ("get", "kind"): KIND,
    ("get", "names"): OF_KIND,
    ("delete", "kind"): KIND,
    ("delete", "names"): OF_KIND,
    ("watch", "kind"): KIND,
    ("watch", "name"): OF_KIND,
    ("wait", "what"): KIND_AND_NAME,
    ("container", "name"): f"{NAMES}services",
    ("override", "name"): f"{NAMES}services",
    ("forecast", "name"): f"{NAMES}services",
    ("service", "policy"): _ANY,
    ("trace", "switch"): _ANY,
}


def text() -> str:
    """The file, as it should read."""
    root = _node(typer.main.get_command(tree.app()), "")
    kinds = {
        kind.name: {
            "plural": kind.plural,
            "aliases": list(kind.aliases),
            "key": [name for name, _ in kind.key],
        }
        for kind in KINDS
    }
    return json.dumps({**root, "kinds": kinds}, indent=0, sort_keys=True) + "\n"


def _node(command: Any, group: str) -> dict[str, Any]:
    """A command or group of them, below the group of this name."""
    options = {
        spelt: [_value(each, group or command.name), _short(each.help or "")]
        for each in command.params
        if _is_option(each)
        for spelt in (*each.opts, *each.secondary_opts)
    }
    found: dict[str, Any] = {"help": _short(command.help or ""), "options": options}
    if hasattr(command, "commands"):
        below = command.commands.items()
        found["commands"] = {name: _node(each, group or name) for name, each in below}
    else:
        arguments = [each for each in command.params if not _is_option(each)]
        found["arguments"] = [_value(each, group or command.name) for each in arguments]
    return found


def _is_option(parameter: Any) -> bool:
    return any(word.startswith("-") for word in parameter.opts)


def _value(parameter: Any, group: str) -> str:
    """What a parameter takes; empty: nothing, it is a flag."""
    if getattr(parameter, "is_flag", False):
        return ""
    choices = _choices(parameter.type_descriptor.annotation)
    if choices:
        return CHOICE + "|".join(choices)
    placed = _BY_PLACE.get((group, parameter.name)) or _BY_NAME.get(parameter.name)
    if placed:
        return placed
    own = next((kind for kind in KINDS if kind.name == group), None)
    return f"{NAMES}{own.plural}" if own is not None and parameter.name == "name" else _ANY


def _choices(annotation: Any) -> list[str]:
    """The words that are taken; empty where any may be."""
    if isinstance(annotation, type) and issubclass(annotation, Enum):
        return [str(each.value) for each in annotation]
    return list(get_args(annotation)) if get_origin(annotation) is Literal else []


def _short(help_text: str) -> str:
    """The first sentence, or its beginning."""
    first = " ".join(help_text.split()).partition(". ")[0].rstrip(".")
    return first if len(first) <= _LONGEST else f"{first[: _LONGEST - 1]}…"
