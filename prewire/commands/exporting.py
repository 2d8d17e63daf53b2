"""Intent as a document that `apply` takes: of what REST answers, only what somebody stated.

What is as by default is left out, and so is how an object stands. Classes that are as built in, and
dependencies that were learned, are nobody's statement.
Must not know: REST, YAML.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final, get_args

from pydantic import BaseModel
from pydantic.fields import FieldInfo

from nib.rates import read_rate, show_rate
from nib.times import show_instant
from prewire.commands.kinds import Kind, Object
from prewire.documents.models import ApplyIn

_VERDICTS: Final = {"pinned": "pin", "banned": "ban"}


def document(kind: Kind, items: Sequence[Object], *, named: bool = False) -> dict[str, list[Any]]:
    """These objects of one kind under its member; empty where nobody stated any.

    named: they were asked for by name, so built-in classes are meant too.
    """
    model = _item(kind.member)
    prepared = _PREPARED.get(kind.member, _as_it_is)
    ready = [each for each in map(prepared, items) if each is not None]
    if named and kind.member == "classes":
        ready = list(items)
    return {kind.member: [_ordered(kind, _stated(each, model)) for each in ready]} if ready else {}


def _item(member: str) -> type[BaseModel]:
    """The model of a member's items."""
    found = _model_in(ApplyIn.model_fields[member].annotation)
    if found is None:
        raise TypeError(f"{member} is no list of models")
    return found


def _stated(found: Object, model: type[BaseModel]) -> dict[str, Any]:
    """The fields that the model has and that are not as by default."""
    stated: dict[str, Any] = {}
    for name, field in model.model_fields.items():
        spelt = field.alias or name
        value = _value(found.get(spelt), field)
        if value is not None and (field.is_required() or value != _default(field)):
            stated[spelt] = _spoken(spelt, value)
    return stated


def _spoken(name: str, value: Any) -> Any:
    """Rates as people write them, where that says the same."""
    if not name.endswith("bps") or not isinstance(value, int):
        return value
    shown = show_rate(value)
    return shown if read_rate(shown) == value else value


def _value(value: Any, field: FieldInfo) -> Any:
    part = _model_in(field.annotation)
    if part is None:
        return value
    if isinstance(value, list):
        return [_stated(each, part) for each in value]
    return _stated(value, part) if isinstance(value, Mapping) else value


def _default(field: FieldInfo) -> Any:
    default = field.get_default(call_default_factory=True)
    return list(default) if isinstance(default, tuple) else default


def _model_in(annotation: Any) -> type[BaseModel] | None:
    """The model within `Model | None` or `list[Model]`."""
    if isinstance(annotation, type):
        return annotation if issubclass(annotation, BaseModel) else None
    return next((part for each in get_args(annotation) if (part := _model_in(each))), None)


def _ordered(kind: Kind, stated: dict[str, Any]) -> dict[str, Any]:
    """The key first."""
    key = {name: stated.pop(name) for name, _ in kind.key if name in stated}
    return key | stated


# ------------------------------------------------------------------------------- kinds


def _as_it_is(found: Object) -> Object | None:
    return found


def _class(found: Object) -> Object | None:
    return None if found["origin"] == "built-in" else found


def _override(found: Object) -> Object | None:
    return {**found, "until": show_instant(found["until_ms"])}


def _dependency(found: Object) -> Object | None:
    verdict = _VERDICTS.get(found["source"])
    return {**found, "verdict": verdict} if verdict else None


_PREPARED: Final[Mapping[str, Callable[[Object], Object | None]]] = {
    "classes": _class,
    "overrides": _override,
    "dependencies": _dependency,
}
