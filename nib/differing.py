"""What is different between two versions of an object of intent, field by field.

Must not know: who tells it to whom, or where the versions come from.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass, fields
from functools import cache
from operator import attrgetter
from typing import Any, Final

from nib.intent import Container
from nib.prewarm import DependencyRule, Override, Provisioning, Scaling
from nib.qos import LinkRate
from nib.records import Intent

# Not anybody's statement: keys, what the database adds, and when a canary began.
_NOT_STATED: Final = frozenset({"name", "number", "generation", "canary.started_ms", "since_ms"})
_KEYS: Final[Mapping[type[Intent], frozenset[str]]] = {
    Container: frozenset({"service", "id"}),
    LinkRate: frozenset({"switch", "port"}),
    Scaling: frozenset({"service"}),
    Provisioning: frozenset({"policy"}),
    Override: frozenset({"kind"}),
    DependencyRule: frozenset({"parent", "child"}),
}
_SPOKEN: Final = {"qos_class": "class"}


@dataclass(frozen=True, slots=True)
class Difference:
    """One field, nested ones as in "health.path"; None: not set."""

    field: str
    before: str | None
    after: str | None


def changed(before: Intent, after: Intent) -> list[Difference]:
    """The fields that differ."""
    old, new = _flat(_values(before)), _flat(_values(after))
    names = [*new, *(name for name in old if name not in new)]
    return [
        Difference(_spoken(name), _text(old.get(name)), _text(new.get(name)))
        for name in names
        if old.get(name) != new.get(name)
    ]


@cache
def all_but(kind: type[Intent], *names: str) -> Callable[[Intent], object]:
    """Reads all fields but these, to compare two versions of an object by."""
    return attrgetter(*(each.name for each in fields(kind) if each.name not in names))


def stated(created: Intent) -> list[Difference]:
    """The fields of a new object that are not as by default."""
    kind: Any = type(created)
    usual = _usual(kind)
    hidden = _KEYS.get(kind, frozenset())
    return [
        Difference(_spoken(name), None, _text(value))
        for name, value in _flat(_values(created)).items()
        if usual.get(name) != value and name not in hidden
    ]


@cache
def _usual(kind: Any) -> Mapping[str, Any]:
    return _flat({each.name: each.default for each in fields(kind)})


def _values(record: Intent) -> Mapping[str, Any]:
    """As `asdict`, which copies every value, where there are nested ones only."""
    values = {each.name: getattr(record, each.name) for each in fields(record)}
    is_plain = all(value is None or isinstance(value, str | int) for value in values.values())
    return values if is_plain else asdict(record)


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
