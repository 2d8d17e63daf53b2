"""Lists in pages: which rows of a list an answer has, and where the next page begins.

A page begins after the key that its cursor has, so rows that come and go meanwhile neither hide nor
double others. A cursor is opaque to clients: the key as JSON, base64url.

Must not know: which lists there are.
"""

from __future__ import annotations

import json
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Annotated, Any, Final, Generic, TypeAlias, TypeVar

from fastapi import Depends, Query, Request, Response
from pydantic import Field

from nib.errors import FieldError

R = TypeVar("R")
Place: TypeAlias = str | int | tuple[str | int, ...]

DEFAULT_LIMIT: Final = 1000
MAX_LIMIT: Final = 5000
_LONGEST_CURSOR: Final = 2000
_REMEDY: Final = "give `next` of the answer before as it is, or leave it out to begin anew"

# Of an answer that has a page of a list.
Next = Annotated[str | None, Field(description="cursor of the page after this one; null: none is")]


@dataclass(frozen=True, slots=True)
class Part(Generic[R]):
    """The rows of a page, and the cursor of the next one."""

    rows: tuple[R, ...]
    next: str | None


@dataclass(frozen=True, slots=True)
class Page:
    """A page as it is asked for: at most `limit` rows (None: all) that come after a place.

    `told` is given the next page's cursor, where there is one.
    """

    limit: int | None = None
    after: tuple[Any, ...] | None = None
    told: Callable[[str], object] = str

    def cut(
        self, rows: Iterable[R], place: Callable[[R], Place], *, falling: bool = False
    ) -> Part[R]:
        """The page's rows in order of their places, which no two rows share.

        FieldError where the cursor is none of this list.
        """
        placed = [(_parts(place(row)), row) for row in rows]
        try:
            left = [each for each in placed if self._is_after(each[0], falling=falling)]
        except TypeError:
            raise _unknown_cursor() from None
        left.sort(key=lambda each: each[0], reverse=falling)
        if self.limit is None or len(left) <= self.limit:
            return Part(tuple(row for _, row in left), None)
        kept = left[: self.limit]
        cursor = cursor_of(kept[-1][0])
        self.told(cursor)
        return Part(tuple(row for _, row in kept), cursor)

    def _is_after(self, place: tuple[Any, ...], *, falling: bool) -> bool:
        if self.after is None:
            return True
        return place < self.after if falling else place > self.after


ALL: Final = Page()


async def page_asked(
    request: Request,
    response: Response,
    limit: Annotated[
        int, Query(ge=1, le=MAX_LIMIT, description="how many at most")
    ] = DEFAULT_LIMIT,
    cursor: Annotated[
        str | None,
        Query(max_length=_LONGEST_CURSOR, description="`next` of the page before; the first: none"),
    ] = None,
) -> Page:
    """The page that a request asks for. Its answer gets a Link header (RFC 8288) to the next."""

    def told(following: str) -> None:
        url = request.url.include_query_params(cursor=following)
        response.headers["Link"] = f'<{url.path}?{url.query}>; rel="next"'

    return Page(limit, None if cursor is None else _place_of(cursor), told)


Paging = Annotated[Page, Depends(page_asked)]


def cursor_of(place: tuple[Any, ...]) -> str:
    """A place as clients are given it."""
    written = json.dumps(place, separators=(",", ":")).encode()
    return urlsafe_b64encode(written).decode().rstrip("=")


def _place_of(cursor: str) -> tuple[Any, ...]:
    """FieldError where this is no cursor."""
    padding = "=" * (-len(cursor) % 4)
    try:
        place = json.loads(urlsafe_b64decode(cursor + padding))
    except (ValueError, RecursionError):
        raise _unknown_cursor() from None
    if not isinstance(place, list) or not place:
        raise _unknown_cursor()
    return tuple(place)


def _unknown_cursor() -> FieldError:
    return FieldError("cursor", "it is no place in this list", _REMEDY)


def _parts(place: Place) -> tuple[Any, ...]:
    return place if isinstance(place, tuple) else (place,)
