"""Reports in memory: what is taken, how much of it, and which rows it changes."""

from __future__ import annotations

import pytest

from gateway_lb.reports import MAX_PROBLEMS, Inbox, Item, TooManyReports, write_reports
from nib.draft import Draft
from nib.errors import FieldError, NotFound
from nib.intent import Container, Service
from nib.mirror import Mirror, RowChange
from nib.observed import Report
from nib.records import Global, Record

MAC = "02:00:00:00:00:11"
C1 = ("web", "c1")
ROWS: tuple[Record, ...] = (
    Global(),
    Service("web", "10.0.0.100", 80, number=1),
    Service("api", "10.0.0.101", 80, number=2, policy="least_inflight"),
    Container("web", "c1", "10.0.0.11", 80, MAC, iface_id="c1", number=3),
    Container("web", "c2", "10.0.0.12", 80, MAC, iface_id="c2", number=4, max_inflight=9),
    Container("api", "c1", "10.0.0.13", 80, MAC, iface_id="c3", number=5),
)


@pytest.fixture
def mirror() -> Mirror:
    mirror = Mirror()
    for row in ROWS:
        mirror.apply(RowChange(None, row))
    return mirror


def taken(inbox: Inbox, mirror: Mirror, *items: Item) -> None:
    assert inbox.take(items, mirror, 0.0).dropped == 0


def written(inbox: Inbox, mirror: Mirror) -> list[Report]:
    """The rows after what waits was written, by key."""
    draft = Draft(mirror)
    write_reports(inbox.taken_out())(draft)
    return sorted(draft.all(Report), key=lambda report: report.key)


def test_the_newest_of_each_container_is_written(mirror: Mirror) -> None:
    inbox = Inbox()
    for percent in (90, 80, 70):
        taken(inbox, mirror, Item(*C1, f"{percent}%"), Item("web", "c2", f"{percent - 1}% drain"))
    assert len(inbox) == 2
    assert written(inbox, mirror) == [Report(*C1, 70), Report("web", "c2", 69, word="drain")]
    assert len(inbox) == 0
    assert inbox.counts["accepted"] == 6


def test_what_a_report_leaves_out_stays(mirror: Mirror) -> None:
    inbox = Inbox()
    taken(inbox, mirror, Item(*C1, "drain 50%"))
    assert written(inbox, mirror) == [Report(*C1, 50, word="drain")]
    taken(inbox, mirror, Item(*C1, "60%"))
    taken(inbox, mirror, Item(*C1, "maxconn:4"))
    assert written(inbox, mirror) == [Report(*C1, 60, 4, "drain")]


def test_a_report_that_changes_nothing_writes_nothing(mirror: Mirror) -> None:
    inbox = Inbox()
    for words in ("ready", "100%", "up maxconn:0"):
        taken(inbox, mirror, Item(*C1, words))
        draft = Draft(mirror)
        assert write_reports(inbox.taken_out())(draft) == 0
        assert draft.net_changes() == ()


def test_requests_in_flight_are_written_where_something_is_decided_from_them(
    mirror: Mirror,
) -> None:
    inbox = Inbox()
    for key in (C1, ("web", "c2"), ("api", "c1")):
        taken(inbox, mirror, Item(*key, inflight=7))
    assert written(inbox, mirror) == [
        Report("api", "c1", inflight=7),
        Report("web", "c2", inflight=7),
    ]
    taken(inbox, mirror, Item(*C1, "maxconn:8", 5))
    assert Report(*C1, max_inflight=8, inflight=5) in written(inbox, mirror)


def test_what_cannot_be_taken_keeps_nothing_else_back(mirror: Mirror) -> None:
    inbox = Inbox()
    items = [
        Item("nope", "c1", "50%"),
        Item("web", "c9", "50%"),
        Item(*C1, "50%"),
        Item(*C1, "fly"),
        Item(*C1, inflight=-1),
        Item(*C1, "down", 10**9),
        Item(*C1),
        Item("web/../..", "c1", "50%"),
    ]
    answer = inbox.take(items, mirror, 0.0)
    assert (answer.accepted, answer.dropped) == (1, 7)
    assert [(each.item, each.field) for each in answer.problems] == [
        (0, "service"), (1, "container"), (3, "words"), (4, "inflight"), (5, "inflight"),
        (6, "words"), (7, "service"),
    ]  # fmt: skip
    assert all(each.message and each.remedy for each in answer.problems)
    assert inbox.counts == {"accepted": 1, "unknown": 3, "malformed": 4, "dropped": 0}
    assert written(inbox, mirror) == [Report(*C1, 50)]


def test_problems_are_listed_up_to_a_number(mirror: Mirror) -> None:
    answer = Inbox().take([Item("web", "c9", "50%")] * 500, mirror, 0.0)
    assert (answer.dropped, len(answer.problems)) == (500, MAX_PROBLEMS)


def test_one_that_cannot_be_taken(mirror: Mirror) -> None:
    inbox = Inbox()
    with pytest.raises(NotFound, match="web/c9"):
        inbox.take_one(Item("web", "c9", "50%"), mirror, 0.0)
    with pytest.raises(FieldError, match="fly"):
        inbox.take_one(Item(*C1, "fly"), mirror, 0.0)
    assert (inbox.counts["unknown"], inbox.counts["malformed"], len(inbox)) == (1, 1, 0)


def test_more_than_there_is_room_for_is_refused_whole_and_counted(mirror: Mirror) -> None:
    inbox = Inbox(per_second=100)
    full = [Item(*C1, "50%")] * 80
    assert inbox.take(full, mirror, 0.0).accepted == 80
    with pytest.raises(TooManyReports) as caught:
        inbox.take(full, mirror, 0.1)
    assert caught.value.retry_after_s == 1
    assert inbox.counts["dropped"] == 80
    assert inbox.take(full, mirror, 0.7).accepted == 80
    assert inbox.counts["accepted"] == 160


def test_room_does_not_grow_beyond_a_second(mirror: Mirror) -> None:
    inbox = Inbox(per_second=100)
    with pytest.raises(TooManyReports):
        inbox.take([Item(*C1, "50%")] * 101, mirror, 3600.0)


def test_what_could_not_be_written_waits_and_what_came_since_is_newer(mirror: Mirror) -> None:
    inbox = Inbox()
    taken(inbox, mirror, Item(*C1, "drain 50%"), Item("web", "c2", "40%"))
    lost = inbox.taken_out()
    taken(inbox, mirror, Item(*C1, "60%"))
    inbox.put_back(lost)
    assert written(inbox, mirror) == [Report(*C1, 60, word="drain"), Report("web", "c2", 40)]


def test_a_container_that_is_gone_is_left_out(mirror: Mirror) -> None:
    inbox = Inbox()
    taken(inbox, mirror, Item(*C1, "50%"), Item("web", "c2", "50%"))
    mirror.apply(RowChange(mirror.need(Container, C1), None))
    assert written(inbox, mirror) == [Report("web", "c2", 50)]
