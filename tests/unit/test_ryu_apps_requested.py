"""Which requests are named for a generation."""

from __future__ import annotations

from nib.events import Event
from nib.mirror import Mirror, RowChange
from ryu_apps.requested import MOST, requests_after


def seen(*made: tuple[int, str]) -> Mirror:
    """A database with an event of each generation, made by a request, in the order of time."""
    view = Mirror()
    for place, (generation, request) in enumerate(made):
        event = Event(
            id=f"{place:020x}",
            at_ms=place,
            kind="service",
            name="web",
            action="changed",
            request=request,
            generation=generation,
        )
        view.apply(RowChange(None, event))
    return view


def test_requests_behind_what_is_not_applied_yet_are_named_the_newest_first() -> None:
    view = seen((1, "a"), (2, "b"), (3, "c"), (3, "d"), (4, "e"))
    assert requests_after(1, 3, view) == "d c b"


def test_events_of_one_request_name_it_once_and_those_of_none_not_at_all() -> None:
    assert requests_after(0, 9, seen((1, "a"), (2, "a"), (3, ""), (0, "x"))) == "a"


def test_no_more_than_so_many_are_named() -> None:
    view = seen(*((number, f"r{number}") for number in range(1, 50)))
    named = requests_after(0, 49, view).split()
    assert len(named) == MOST
    assert named[0] == "r49"
