"""Changes of a real database on their way to those who watch them."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from functools import partial
from typing import Any

import pytest

from nib.committing import now_ms
from nib.database import Nib
from nib.draft import Draft
from nib.intent import Container, Service
from nib.observed import Health
from nib.plans import ContainerPlan
from nib.prewarm import Override
from nib.topology import Port, Switch
from prewire.api.watching import feed as feed_of_changes
from prewire.api.watching.catalogue import KINDS
from prewire.api.watching.choice import choice_of
from prewire.api.watching.feed import CLOSED, LINGER_S, Feed
from prewire.api.watching.frames import EventId
from prewire.api.watching.watcher import TOO_SLOW, Watcher

Frame = dict[str, Any]
Check = Callable[[Feed], Awaitable[None]]


def seeded(draft: Draft) -> None:
    for name, vip in (("web", "10.0.0.100"), ("api", "10.0.0.101")):
        draft.put(Service(name, vip, 80))
    draft.put(container("web", 1))


def container(service: str, number: int, **more: Any) -> Container:
    mac = f"02:00:00:00:01:{number:02x}"
    return Container(
        service, f"c{number}", f"10.0.0.{number}", 80, mac, iface_id=f"{service}-{number}", **more
    )


def put(row: Service, draft: Draft) -> None:
    draft.put(row)


async def write(nib: Nib, change: Callable[[Draft], object]) -> None:
    await asyncio.wait_for(asyncio.wrap_future(nib.write(change)), 10)


async def read(watcher: Watcher) -> list[Frame]:
    """The next frames there are."""
    while not (piece := watcher.next()):
        assert watcher.ended is None, watcher.ended
        await asyncio.wait_for(watcher.wait(), 10)
    return [frame for each in piece.decode().split("\n\n") if each and (frame := parsed(each))]


def parsed(text: str) -> Frame:
    lines = dict(line.split(": ", 1) for line in text.split("\n") if not line.startswith(":"))
    if not lines:
        return {}
    return {"event": lines["event"], "id": lines.get("id"), **json.loads(lines["data"])}


async def until(watcher: Watcher, event: str, key: str | None = None) -> list[Frame]:
    """All frames up to the first such one."""
    seen: list[Frame] = []
    while True:
        for frame in await read(watcher):
            seen.append(frame)
            if frame["event"] == event and key in (None, frame.get("key")):
                return seen


@asynccontextmanager
async def watched(feed: Feed, after: str = "", **query: str) -> AsyncIterator[Watcher]:
    watcher = await asyncio.wait_for(feed.join(choice_of(query, after)), 10)
    try:
        yield watcher
    finally:
        feed.leave(watcher)


@pytest.fixture
def run(nib: Nib) -> Callable[[Check], None]:
    """Runs a check on a feed of a seeded database."""
    nib.write(seeded).result(60)

    async def on_feed(check: Check) -> None:
        feed = Feed(nib)
        async with feed.open():
            await check(feed)

    return lambda check: asyncio.run(on_feed(check))


def test_a_watch_begins_with_all_objects_and_goes_on_with_each_change(
    nib: Nib, run: Callable[[Check], None]
) -> None:
    async def check(feed: Feed) -> None:
        async with watched(feed, kinds="services") as watcher:
            first = await until(watcher, "ready")
            assert [(f["event"], f.get("key")) for f in first] == [
                ("put", "api"),
                ("put", "web"),
                ("ready", None),
            ]
            assert first[1]["object"]["vip"] == "10.0.0.100"
            await write(nib, lambda draft: draft.put(Service("new", "10.0.0.102", 80)))
            (added,) = await until(watcher, "put", "new")
            assert added["object"]["generation"] == nib_generation(nib)
            await write(nib, lambda draft: draft.delete(Service, "new"))
            (gone,) = await until(watcher, "delete", "new")
            assert gone["kind"] == "services"
            assert "object" not in gone

    run(check)


def nib_generation(nib: Nib) -> int:
    with nib.view() as view:
        return view.generation


def test_only_what_a_change_touches_is_made_and_told(
    nib: Nib, run: Callable[[Check], None]
) -> None:
    async def check(feed: Feed) -> None:
        async with watched(feed, kinds="services,containers") as watcher:
            await until(watcher, "ready")
            await write(nib, lambda draft: draft.put(container("web", 2)))
            seen = await until(watcher, "put", "web/c2")
            seen += await read(watcher) if len(seen) == 1 else []
            assert {(f["kind"], f["key"]) for f in seen} == {
                ("services", "web"),
                ("containers", "web/c2"),
            }

    run(check)


def test_a_port_that_appears_changes_the_containers_behind_it(
    nib: Nib, run: Callable[[Check], None]
) -> None:
    def ported(draft: Draft) -> None:
        draft.put(Switch("0000000000000001", 1, "br0", connected=True))
        draft.put(Port("0000000000000001", "v1", 1, "02:00:00:00:00:01", iface_id="web-1"))

    async def check(feed: Feed) -> None:
        async with watched(feed, kinds="containers") as watcher:
            first = await until(watcher, "ready")
            assert first[0]["object"]["state"] == "unplaced"
            await write(nib, ported)
            (frame,) = await until(watcher, "put", "web/c1")
            assert frame["object"]["state"] == "ready"

    run(check)


def test_a_watch_goes_on_after_the_last_event_heard(nib: Nib, run: Callable[[Check], None]) -> None:
    async def check(feed: Feed) -> None:
        async with watched(feed, kinds="services") as watcher:
            heard = (await until(watcher, "ready"))[-1]["id"]
        await write(nib, lambda draft: draft.put(Service("new", "10.0.0.102", 80)))
        async with watched(feed, heard, kinds="services") as watcher:
            seen = await until(watcher, "ready")
            if len(seen) == 1:  # it was made after the watcher came back
                seen = [*await until(watcher, "put", "new"), seen[0]]
            assert [(f["event"], f.get("key")) for f in seen] == [("put", "new"), ("ready", None)]

    run(check)


@pytest.mark.parametrize("last", ["00000000-1", "nonsense", "{instance}-999999"])
def test_an_id_that_is_not_known_begins_anew(last: str, run: Callable[[Check], None]) -> None:
    async def check(feed: Feed) -> None:
        after = last.format(instance=feed.instance)
        async with watched(feed, after, kinds="services") as watcher:
            seen = await until(watcher, "ready")
            assert [f["event"] for f in seen] == ["reset", "put", "put", "ready"]

    run(check)


def test_events_of_a_kind_that_nobody_held_are_not_resumed(
    nib: Nib, run: Callable[[Check], None]
) -> None:
    async def check(feed: Feed) -> None:
        async with watched(feed, kinds="services") as watcher:
            heard = (await until(watcher, "ready"))[-1]["id"]
            async with watched(feed, heard, kinds="services,containers") as other:
                assert (await until(other, "ready"))[0]["event"] == "reset"

    run(check)


def test_an_object_that_leaves_the_choice_is_gone_for_its_watcher(
    nib: Nib, run: Callable[[Check], None]
) -> None:
    def drained(draft: Draft) -> None:
        known = draft.need(Container, ("web", "c1"))
        draft.put(replace(known, state="draining", drain_until_ms=2**52))

    async def check(feed: Feed) -> None:
        async with watched(feed, kinds="containers", state="unplaced") as watcher:
            assert (await until(watcher, "ready"))[0]["key"] == "web/c1"
            await write(nib, drained)
            (frame,) = await until(watcher, "delete")
            assert frame["key"] == "web/c1"

    run(check)


def test_time_alone_changes_what_is_told(nib: Nib, run: Callable[[Check], None]) -> None:
    def planned(draft: Draft) -> None:
        now = now_ms()
        draft.put(ContainerPlan("web", 2, now, now + 600, "load", made_ms=now))

    async def check(feed: Feed) -> None:
        await write(nib, planned)
        async with watched(feed, kinds="plans") as watcher:
            assert (await until(watcher, "ready"))[0]["object"]["valid"]
            (frame,) = await until(watcher, "put", "services/web")
            assert not frame["object"]["valid"]

    run(check)


def test_what_changes_by_itself_is_no_news(nib: Nib, run: Callable[[Check], None]) -> None:
    def overridden(draft: Draft) -> None:
        for name in ("web", "api"):
            draft.put(Override("service", name, now_ms() + 60_000, containers=3))

    async def check(feed: Feed) -> None:
        await write(nib, overridden)
        async with watched(feed, kinds="overrides") as watcher:
            first = await until(watcher, "ready")
            assert 59 < first[0]["object"]["seconds_left"] <= 60
            await write(nib, lambda draft: draft.delete(Override, ("service", "api")))
            seen = await until(watcher, "delete")
            assert [frame["key"] for frame in seen] == ["service/api"]

    run(check)


def test_one_that_does_not_read_is_let_go(nib: Nib, run: Callable[[Check], None]) -> None:
    async def check(feed: Feed) -> None:
        feed.history._most = 10
        async with (
            watched(feed, kinds="services") as slow,
            watched(feed, kinds="services") as quick,
        ):
            await until(slow, "ready")
            await until(quick, "ready")
            for number in range(15):
                row = Service(f"s{number}", f"10.0.1.{number}", 80)
                await write(nib, partial(put, row))
                await until(quick, "put", row.name)
            assert slow.next() == b""
            assert slow.ended == TOO_SLOW
        assert feed.dropped == 1

    run(check)


def test_what_is_kept_for_watchers_to_come_is_bounded(
    nib: Nib, run: Callable[[Check], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(feed_of_changes, "_MOST_PIECES", 3)
    monkeypatch.setattr(feed_of_changes, "_MOST_SNAPSHOTS", 2)

    async def check(feed: Feed) -> None:
        async with watched(feed, kinds="services") as watcher:
            heard = EventId.parsed((await until(watcher, "ready"))[-1]["id"])
            assert heard is not None
            for number in range(8):
                row = Service(f"s{number}", f"10.0.1.{number}", 80)
                await write(nib, partial(put, row))
                await until(watcher, "put", row.name)
            for number in range(8):
                after = str(replace(heard, number=heard.number + number))
                async with watched(feed, after, kinds="services") as late:
                    seen = await until(late, "ready")
                    assert [each["key"] for each in seen[:-1]] == [
                        f"s{n}" for n in range(number, 8)
                    ]
        for kinds in ("services", "classes", "services,classes", "links"):
            async with watched(feed, kinds=kinds) as other:
                await until(other, "ready")
        assert 0 < len(feed._pieces) <= 3
        assert 0 < len(feed._snapshots) <= 2

    run(check)


def test_a_kind_is_held_for_a_while_after_its_last_watcher(run: Callable[[Check], None]) -> None:
    async def check(feed: Feed) -> None:
        later_s = time.monotonic() + 2 * LINGER_S
        async with watched(feed, kinds="services,classes"):
            async with watched(feed, kinds="links"):
                feed._beat(later_s)
            assert set(feed._held) == {"services", "classes", "links"}
            feed._beat(later_s + LINGER_S)
            assert "links" in feed._held
            feed._beat(later_s + LINGER_S + 1)
            assert set(feed._held) == {"services", "classes"}

    run(check)


def test_the_end_of_the_server_ends_all_watches(run: Callable[[Check], None]) -> None:
    async def check(feed: Feed) -> None:
        async with watched(feed, kinds="services") as watcher:
            await until(watcher, "ready")
            feed.end()
            await asyncio.wait_for(watcher.wait(), 1)
            assert watcher.ended == CLOSED
            async with watched(feed, kinds="services") as late:
                assert late.ended == CLOSED

    run(check)


def test_every_kind_can_be_watched_and_shows_what_its_list_shows(
    nib: Nib, run: Callable[[Check], None]
) -> None:
    async def check(feed: Feed) -> None:
        async with watched(feed, kinds=",".join(KINDS)) as watcher:
            seen = await until(watcher, "ready")
            kinds = {frame["kind"] for frame in seen[:-1]}
            assert {"services", "containers", "classes", "status"} <= kinds
            await write(nib, lambda draft: draft.put(Health("web", "c1", up=True)))
            await until(watcher, "put", "web/c1")

    run(check)
