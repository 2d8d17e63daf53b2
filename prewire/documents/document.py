"""A file of `prewire apply`: YAML, read so that what is written is what is meant.

YAML has many words for a few values. Here only true and false are truth values, only decimal digits
without a leading zero are whole numbers, and dates are text: `no`, 010, 1_000 and 1:30 are text, to
be refused where a number is needed. A key given twice, tags, and keys that no object has are
refused.

Must not know: the REST server, what values may be.
"""

from __future__ import annotations

import re
from collections.abc import Hashable, Iterator
from difflib import get_close_matches
from math import isfinite
from typing import Any, Final, get_args

import yaml
from pydantic import BaseModel

from prewire.documents.models import (
    ApplyIn,
    ClassItem,
    DependencyItem,
    LinkRateItem,
    OverrideItem,
    PolicyItem,
    ProvisioningItem,
    ScalingItem,
    ScheduleItem,
    ServiceItem,
)
from prewire.documents.refused import ApplyRefused, Fault
from prewire.errors import CommandFailed

_MOST_VALUES: Final = 500_000  # with aliases, a small file can stand for a very large one
_DEEPEST: Final = 20
_MOST_KEYS: Final = 10_000  # of one mapping, with those that are merged into it
_ITEMS: Final[dict[str, type[BaseModel]]] = {
    "services": ServiceItem,
    "classes": ClassItem,
    "policies": PolicyItem,
    "link_rates": LinkRateItem,
    "scalings": ScalingItem,
    "provisionings": ProvisioningItem,
    "schedules": ScheduleItem,
    "overrides": OverrideItem,
    "dependencies": DependencyItem,
}


class BadDocument(CommandFailed):
    """A file that cannot be read as a document; the text names it, and the remedy."""


class _Loader(yaml.SafeLoader):
    """Plain values of JSON, and of mappings whose keys are given once."""

    def flatten_mapping(self, node: yaml.MappingNode) -> None:
        """As usual, but for merges of merges, which may double with each."""
        super().flatten_mapping(node)
        if len(node.value) > _MOST_KEYS:
            raise yaml.constructor.ConstructorError(
                None, None, f"more than {_MOST_KEYS} keys are merged", node.start_mark
            )

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Hashable, Any]:
        """As usual, but for keys that are given twice, which usually the last one wins."""
        seen: set[str] = set()
        for key, _ in node.value:
            name = key.value if isinstance(key, yaml.ScalarNode) else ""
            if name in seen:
                raise yaml.constructor.ConstructorError(
                    None, None, f"{name!r} is given twice", key.start_mark
                )
            seen.add(name)
        return super().construct_mapping(node, deep)


_Loader.yaml_implicit_resolvers = {}
for _tag, _pattern, _first in (
    ("bool", r"true|false", "tf"),
    ("int", r"-?(0|[1-9][0-9]*)", "-0123456789"),
    ("float", r"-?(0|[1-9][0-9]*)\.[0-9]+", "-0123456789"),
    ("null", r"null|~|", ["n", "~", ""]),
    ("merge", r"<<", "<"),
):
    _Loader.add_implicit_resolver(
        f"tag:yaml.org,2002:{_tag}", re.compile(f"^(?:{_pattern})$"), list(_first)
    )


def read(name: str, text: bytes) -> dict[str, list[Any]]:
    """The members of all documents in a file, those of one kind after each other.

    BadDocument names the file and what is wrong.
    """
    try:
        documents = list(yaml.load_all(text, _Loader))
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark
        where = f", line {mark.line + 1}, column {mark.column + 1}" if mark else ""
        raise BadDocument(f"{name}{where}: {error.problem}; correct the YAML") from None
    except (yaml.YAMLError, ValueError, LookupError, AttributeError) as error:  # !!bool x
        said = " ".join(str(error).split())
        raise BadDocument(f"{name}: {said}; correct the YAML, in UTF-8") from None
    except RecursionError:
        raise BadDocument(f"{name}: it is nested too deep; write it flat") from None
    found: dict[str, list[Any]] = {}
    for document in documents:
        if document is not None:
            _add(name, document, found)
    if not found:
        kinds = ", ".join(ApplyIn.model_fields)
        raise BadDocument(f"{name}: it says nothing; list what is wanted under {kinds}")
    faults = list(_unknown(found))
    if faults:
        raise ApplyRefused(faults)
    return found


def _add(name: str, document: Any, found: dict[str, list[Any]]) -> None:
    if not isinstance(document, dict):
        kinds = ", ".join(ApplyIn.model_fields)
        raise BadDocument(f"{name}: it is no mapping; list what is wanted under {kinds}")
    _check_plain(name, document)
    for member, items in document.items():
        if member in ApplyIn.model_fields and not isinstance(items, list):
            raise BadDocument(f"{name}: {member} is no list; give one, or leave {member} out")
        found.setdefault(member, []).extend(items if isinstance(items, list) else [])


def _check_plain(name: str, document: Any) -> None:
    """Whether all is of JSON's kinds, and not too much of it. BadDocument where not."""
    waiting: list[tuple[Any, int]] = [(document, 0)]
    seen = 0
    while waiting:
        value, depth = waiting.pop()
        seen += 1
        if seen > _MOST_VALUES or depth > _DEEPEST:
            raise BadDocument(f"{name}: it is too large or too deep; use fewer aliases")
        if isinstance(value, dict):
            odd = [key for key in value if not isinstance(key, str)]
            if odd:
                raise BadDocument(f"{name}: the key {odd[0]!r} is no text; write it in quotes")
            waiting += [(each, depth + 1) for each in value.values()]
        elif isinstance(value, list):
            waiting += [(each, depth + 1) for each in value]
        elif not isinstance(value, str | int | type(None)) and not _is_finite(value):
            raise BadDocument(f"{name}: {value!r} is no text and no number; remove its tag")


def _is_finite(value: object) -> bool:
    return isinstance(value, float) and isfinite(value)


# ------------------------------------------------------------------------------- keys


def _unknown(document: dict[str, list[Any]]) -> Iterator[Fault]:
    """Keys that no object has, with those that may be meant."""
    yield from _strays("", document, list(ApplyIn.model_fields))
    for member, item in _ITEMS.items():
        for number, given in enumerate(document.get(member, ())):
            yield from _unknown_in(f"{member}[{number}]", given, item)


def _unknown_in(place: str, given: Any, model: type[BaseModel]) -> Iterator[Fault]:
    if not isinstance(given, dict):
        return
    known = {field.alias or name: field for name, field in model.model_fields.items()}
    yield from _strays(f"{place}.", given, list(known))
    for key, value in given.items():
        part = _part_of(known[key].annotation) if key in known else None
        if part is not None:
            values = enumerate(value) if isinstance(value, list) else [(None, value)]
            for number, each in values:
                within = f"{place}.{key}" if number is None else f"{place}.{key}[{number}]"
                yield from _unknown_in(within, each, part)


def _part_of(annotation: Any) -> type[BaseModel] | None:
    """The model among the types of a field."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    return next((found for arg in get_args(annotation) if (found := _part_of(arg))), None)


def _strays(prefix: str, given: dict[str, Any], known: list[str]) -> Iterator[Fault]:
    for key in given:
        if key not in known:
            close = get_close_matches(key, known, 1, 0.6)
            hint = f"write {close[0]}" if close else f"use one of {', '.join(known)}"
            yield Fault(f"{prefix}{key}", "there is no such key", hint)
