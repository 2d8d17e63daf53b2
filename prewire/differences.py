"""What is different between two versions of an object, field by field, for people and programs.

Must not know: where the versions come from.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import asdict, fields
from typing import Any, Final

from nib.qos import LinkRate
from nib.records import Intent
from prewire.apply_models import FieldChange

# Not anybody's statement: keys, what the database adds, and when a canary began.
_NOT_STATED: Final = frozenset({"name", "number", "generation", "canary.started_ms"})
_KEY: Final = frozenset({"switch", "port"})  # of a rate of a link
_SPOKEN: Final = {"qos_class": "class"}


def changed_fields(before: Intent, after: Intent) -> list[FieldChange]:
    """The fields that differ."""
    return _compared(_flat(asdict(before)), _flat(asdict(after)))


def stated_fields(created: Intent) -> list[FieldChange]:
    """The fields of a new object that are not as by default."""
    usual = _flat({each.name: each.default for each in fields(created)})
    hidden = _KEY if isinstance(created, LinkRate) else frozenset()
    return [
        FieldChange(field=_spoken(name), before=None, after=_text(value))
        for name, value in _flat(asdict(created)).items()
        if usual.get(name) != value and name not in hidden
    ]


def _compared(before: Mapping[str, Any], after: Mapping[str, Any]) -> list[FieldChange]:
    names = [*after, *(name for name in before if name not in after)]
    return [
        FieldChange(
            field=_spoken(name), before=_text(before.get(name)), after=_text(after.get(name))
        )
        for name in names
        if before.get(name) != after.get(name)
    ]


def _spoken(name: str) -> str:
    return _SPOKEN.get(name, name)


def _text(value: Any) -> str | None:
    return value if value is None or isinstance(value, str) else json.dumps(value)


def _flat(values: Mapping[str, Any]) -> dict[str, Any]:
    """Without nesting and without what is not set, as in "health.path"."""
    return {name: value for name, value in _flattened(values, "") if name not in _NOT_STATED}


def _flattened(values: Mapping[str, Any], prefix: str) -> Iterator[tuple[str, Any]]:
    for name, value in values.items():
        if isinstance(value, Mapping):
            yield from _flattened(value, f"{prefix}{name}.")
        elif value is not None:
            yield f"{prefix}{name}", value
