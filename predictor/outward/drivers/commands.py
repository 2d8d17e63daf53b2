"""Reads the commands of containers that are processes from a file.

    shop:                                # the NAME of the target process:NAME
      - id: shop-1
        start: python3 -m http.server 8081
        after_start: prewire container put shop shop-1 ...
        before_stop: [prewire, container, drain, shop, shop-1]
        environment: {PORT: "8081"}

A command is a list, or a text that is split as a shell would; no shell runs it.

Must not know: how commands are run.
"""

from __future__ import annotations

import json
import shlex
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from nib.errors import FieldError
from predictor.outward.drivers.process import Command

_FIELDS: Final = frozenset({"id", "start", "after_start", "before_stop", "environment"})


def read_commands(path: Path) -> dict[str, list[Command]]:
    """By name; YAML, or JSON where the file's name ends so. FieldError names file, place and
    remedy."""
    try:
        text = path.read_text("utf-8")
        content = json.loads(text) if path.suffix == ".json" else _yaml(text)
    except (OSError, ValueError) as error:
        raise FieldError(str(path), str(error), "give a YAML or JSON file of commands") from None
    except RecursionError:
        raise FieldError(str(path), "is nested too deep", "write it flat") from None
    if not isinstance(content, Mapping):
        raise FieldError(str(path), "is no mapping", "begin with the NAME of a target process:NAME")
    return {str(name): _places(f"{path}: {name}", entries) for name, entries in content.items()}


def _yaml(text: str) -> Any:
    import yaml  # noqa: PLC0415 - only where such a file is given

    try:
        return yaml.safe_load(text)
    except (yaml.YAMLError, LookupError, AttributeError) as error:  # by a tag, as in !!bool x
        raise ValueError(str(error) or "is no YAML") from None


def _places(where: str, entries: Any) -> list[Command]:
    if not isinstance(entries, list) or not entries:
        raise FieldError(where, "has no containers", "list them, each with id and start")
    commands = [_command(f"{where}[{at}]", entry) for at, entry in enumerate(entries)]
    ids = [command.id for command in commands]
    if len(set(ids)) < len(ids):
        raise FieldError(where, "has an id twice", "give each container its own")
    return commands


def _command(where: str, entry: Any) -> Command:
    if not isinstance(entry, Mapping) or not {"id", "start"} <= set(entry):
        raise FieldError(where, "lacks id or start", "give both")
    strange = sorted(map(str, set(entry) - _FIELDS))
    if strange:
        raise FieldError(
            f"{where}.{strange[0]}", "is no field", f"use {', '.join(sorted(_FIELDS))}"
        )
    environment = entry.get("environment") or {}
    if not isinstance(environment, Mapping):
        raise FieldError(f"{where}.environment", "is no mapping", "give NAME: value")
    start = _argv(f"{where}.start", entry["start"])
    if not start:
        raise FieldError(f"{where}.start", "is empty", "give a command")
    return Command(
        id=str(entry["id"]),
        start=start,
        after_start=_argv(f"{where}.after_start", entry.get("after_start") or []),
        before_stop=_argv(f"{where}.before_stop", entry.get("before_stop") or []),
        environment={str(key): str(value) for key, value in environment.items()},
    )


def _argv(where: str, value: Any) -> tuple[str, ...]:
    if isinstance(value, str):
        try:
            return tuple(shlex.split(value))
        except ValueError as error:
            raise FieldError(where, str(error), "close its quotes") from None
    if isinstance(value, list):
        return tuple(str(word) for word in value)
    raise FieldError(where, f"{value!r} is no command", "give a list or a text")
