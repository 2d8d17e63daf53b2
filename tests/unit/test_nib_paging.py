"""Pages of a list: every row once, in order, whatever comes and goes meanwhile."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any

import pytest
from fastapi import Request, Response
from hypothesis import given
from hypothesis import strategies as st

from nib.errors import FieldError
from nib.paging import ALL, Page, page_asked


def asked(cursor: str | None, limit: int = 2, query: str = "") -> tuple[Page, Response]:
    """The page that a request asks for, and its answer."""
    scope = {
        "type": "http", "method": "GET", "path": "/v1/things", "query_string": query.encode(),
        "headers": [], "server": ("127.0.0.1", 80), "scheme": "http",
    }  # fmt: skip
    response = Response()
    return asyncio.run(page_asked(Request(scope), response, limit, cursor)), response


def followed(rows: Sequence[Any], limit: int, *, falling: bool = False) -> list[Any]:
    """All pages, one after the other."""
    found: list[Any] = []
    cursor = None
    while True:
        part = asked(cursor, limit)[0].cut(rows, lambda each: each, falling=falling)
        assert len(part.rows) <= limit
        found += part.rows
        cursor = part.next
        if cursor is None:
            return found


places = st.tuples(st.text(max_size=3), st.integers(-5, 5))


@given(st.sets(places), st.integers(1, 5), st.booleans())
def test_pages_together_are_the_list_in_order(
    rows: set[tuple[str, int]], limit: int, falling: bool
) -> None:
    found = followed(sorted(rows), limit, falling=falling)
    assert found == sorted(rows, reverse=falling)


def test_rows_that_come_and_go_meanwhile_hide_and_double_none() -> None:
    first = asked(None)[0].cut(["a", "c", "e", "g"], str)
    assert first.rows == ("a", "c")
    second = asked(first.next)[0].cut(["b", "d", "e", "g"], str)  # a and c went, b and d came
    assert second.rows == ("d", "e")
    assert asked(second.next)[0].cut(["b", "d", "g"], str).rows == ("g",)


def test_the_last_page_has_no_next_even_when_it_is_full() -> None:
    part = asked(None)[0].cut([2, 1], int)
    assert (part.rows, part.next) == ((1, 2), None)
    assert ALL.cut(range(9000), int).next is None


def test_a_link_leads_to_the_next_page_with_the_same_filter() -> None:
    page, response = asked(None, query="limit=2&service=web")
    part = page.cut([1, 2, 3], int)
    assert response.headers["Link"] == (
        f'</v1/things?limit=2&service=web&cursor={part.next}>; rel="next"'
    )
    last, response = asked(part.next)
    last.cut([1, 2, 3], int)
    assert "Link" not in response.headers


@pytest.mark.parametrize("cursor", ["", "?", "e30", "W10", "ÿ", "bnVsbA", "Wzoio", "W1tbW10"])
def test_what_is_no_cursor_is_refused_with_its_field(cursor: str) -> None:
    with pytest.raises(FieldError) as refused:
        asked(cursor)
    assert refused.value.field == "cursor"


def test_a_cursor_of_another_list_is_refused() -> None:
    cursor = asked(None)[0].cut([1, 2, 3], int).next
    with pytest.raises(FieldError) as refused:
        asked(cursor)[0].cut(["a", "b"], str)
    assert refused.value.field == "cursor"
