"""Writes on condition (RFC 9110, section 13): only if an object is still as the client saw it.

An entity tag of intent is its generation and a fingerprint of its row: rows that one transaction
wrote one after the other share a generation. What a GET answers adds a third part that says how the
object stands; it does not count here. The condition is checked inside the transaction.

Must not know: which objects there are, how answers are rendered.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from hashlib import blake2b
from typing import Annotated, Final, TypeVar

from fastapi import Header, Response
from pydantic import BaseModel, Field

from nib.draft import Draft
from nib.errors import FieldError, NibError
from nib.mirror import Lookups
from nib.records import Intent, Key, field_values

T = TypeVar("T")

_TAG: Final = re.compile(r'(?:W/)?"[\x21\x23-\x7e\x80-\xff]*"')
_TAGS: Final = re.compile(rf"\s*{_TAG.pattern}\s*(?:,\s*{_TAG.pattern}\s*)*")
_REMEDY: Final = 'give the ETag of an answer as it is, as in "12-5f3a9c01", or *'


class PreconditionFailed(NibError):
    """What a client did its change for is not how it is."""

    def __init__(self, header: str, message: str, remedy: str) -> None:
        super().__init__(f"{header}: {message}; {remedy}")
        self.field = header
        self.message = message
        self.remedy = remedy


class Preconditions(BaseModel):
    """Header fields of writes to one object."""

    if_match: str | None = Field(
        None,
        description="ETag of an answer: write only if the object's intent is still that; `*`: "
        "only if it is there. Else 412",
    )
    if_none_match: str | None = Field(
        None, description="`*`: write only if it is not there yet. Else 412"
    )


If = Annotated[Preconditions, Header()]


def row(kind: type[Intent], key: Key) -> Callable[[Lookups], Intent | None]:
    """What a condition is about: the row of this key."""
    return lambda view: view.get(kind, key)


def conditional(
    change: Callable[[Draft], T], given: Preconditions, current: Callable[[Lookups], Intent | None]
) -> Callable[[Draft], T]:
    """The change, made only if the conditions hold of what is there then.

    FieldError where a condition cannot be read. The change raises PreconditionFailed; but what
    cannot be deleted or changed because it is not there is NotFound all the same.
    """
    if given.if_match is None and given.if_none_match is None:
        return change
    wanted = _tags("If-Match", given.if_match)
    unwanted = _tags("If-None-Match", given.if_none_match)

    def changed(draft: Draft) -> T:
        known = current(draft)
        if known is None and wanted is not None:
            change(draft)
            raise _failed("If-Match", "it is not there", "leave If-Match out to create it")
        if known is not None and wanted is not None and not _is_among(known, wanted):
            message = f"it was changed meanwhile, by generation {known.generation}"
            raise _failed("If-Match", message, "read it again")
        if known is not None and unwanted is not None and _is_among(known, unwanted):
            raise _failed("If-None-Match", "it is there already", "leave it out to replace it")
        return change(draft)

    return changed


def unless_overtaken(change: Callable[[Draft], T], generation: int | None) -> Callable[[Draft], T]:
    """The change of many objects, made only at this generation of intent; None: at any.

    PreconditionFailed where intent was changed since.
    """

    def changed(draft: Draft) -> T:
        if generation not in (None, draft.generation):
            message = f"intent is at generation {draft.generation}, not {generation}"
            raise _failed("if_generation", message, "look at the difference again (dry_run)")
        return change(draft)

    return changed


def tag_of(record: Intent) -> str:
    """Generation and fingerprint. A lease that is renewed does not change it."""
    told = field_values(record)
    told.pop("lease_until_ms", None)
    fingerprint = blake2b(repr(told).encode(), digest_size=4).hexdigest()
    return f"{record.generation}-{fingerprint}"


def tagged(record: Intent | None, response: Response) -> None:
    """Set the answer's ETag; None: what is answered has no row of intent."""
    if record is not None:
        response.headers["ETag"] = f'"{tag_of(record)}"'


def _failed(header: str, message: str, remedy: str) -> PreconditionFailed:
    return PreconditionFailed(header, message, remedy)


def _is_among(record: Intent, tags: frozenset[str]) -> bool:
    """Whether one of these means this row; "*" means any, a generation alone any that has it."""
    own = tag_of(record)
    meant = {"*", own, str(record.generation)}
    return any(tag in meant or tag.startswith(f"{own}-") for tag in tags)


def _tags(header: str, value: str | None) -> frozenset[str] | None:
    """The strong ones of a header's tags, without quotes. FieldError where it has none at all."""
    if value is None:
        return None
    if value.strip() == "*":
        return frozenset("*")
    if not _TAGS.fullmatch(value):
        raise FieldError(header, f"{value!r} is no entity tag", _REMEDY)
    found = _TAG.findall(value)
    return frozenset(tag[1:-1] for tag in found if not tag.startswith("W/"))
