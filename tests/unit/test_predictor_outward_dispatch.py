"""Having drivers do what plans say: the last word, tries again, outcomes."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from nib.errors import FieldError
from predictor.outward.drivers.contract import DriverError, Target, parse_target
from predictor.outward.drivers.dispatch import Dispatcher, Outcome, Pauses


class Platform:
    """A driver whose platform fails as it is told to, and may be made to wait."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, int | None]] = []
        self.failures: list[DriverError] = []
        self.gate = asyncio.Event()
        self.gate.set()
        self.closed = False

    async def scale(self, target: Target, containers: int) -> None:
        await self._take(target, containers)

    async def release(self, target: Target) -> None:
        await self._take(target, None)

    async def close(self) -> None:
        self.closed = True

    async def _take(self, target: Target, containers: int | None) -> None:
        self.asked.append((target.path[0], containers))
        await self.gate.wait()
        if self.failures:
            raise self.failures.pop(0)


class Site:
    def __init__(self, pauses: Pauses) -> None:
        self.platform = Platform()
        self.outcomes: list[Outcome] = []
        self.dispatcher = Dispatcher({"process": self.platform}, self.outcomes.append, pauses)

    async def told(self, count: int) -> list[Outcome]:
        async with asyncio.timeout(5):
            while len(self.outcomes) < count:
                await asyncio.sleep(0.001)
        return self.outcomes


@asynccontextmanager
async def site(renew_s: float = 60.0, patience_s: float = 5.0) -> AsyncIterator[Site]:
    made = Site(Pauses(first_s=0.01, most_s=0.04, renew_s=renew_s, patience_s=patience_s))
    try:
        yield made
    finally:
        await made.dispatcher.close()


def failure(*, passing: bool) -> DriverError:
    return DriverError("the platform is away", "wait", passing=passing)


def test_a_wish_is_carried_out_and_told_of_once() -> None:
    async def run() -> None:
        async with site() as at:
            for _ in range(5):
                at.dispatcher.want("shop", "process:shop", 3)
                await asyncio.sleep(0)
            assert await at.told(1) == [Outcome("shop", "process:shop", 3, None, 1)]
            assert at.platform.asked == [("shop", 3)]
        assert at.platform.closed

    asyncio.run(run())


def test_of_wishes_that_come_while_the_platform_works_the_last_counts() -> None:
    async def run() -> None:
        async with site() as at:
            at.platform.gate.clear()
            at.dispatcher.want("shop", "process:shop", 1)
            await asyncio.sleep(0.01)
            for containers in (2, 3, 4):
                at.dispatcher.want("shop", "process:shop", containers)
            at.platform.gate.set()
            await at.told(2)
            assert at.platform.asked == [("shop", 1), ("shop", 4)]

    asyncio.run(run())


def test_a_passing_failure_is_tried_again_and_told_each_time() -> None:
    async def run() -> None:
        async with site() as at:
            at.platform.failures = [failure(passing=True), failure(passing=True)]
            at.dispatcher.want("shop", "process:shop", 3)
            await at.told(1)
            assert at.dispatcher.problems == {"shop": "the platform is away; wait"}
            outcomes = await at.told(3)
            assert [(o.error is None, o.tries) for o in outcomes] == [
                (False, 1),
                (False, 2),
                (True, 1),
            ]
            assert at.dispatcher.problems == {}

    asyncio.run(run())


def test_a_lasting_failure_waits_for_another_wish() -> None:
    async def run() -> None:
        async with site() as at:
            at.platform.failures = [failure(passing=False)]
            at.dispatcher.want("shop", "process:shop", 3)
            await at.told(1)
            await asyncio.sleep(0.1)
            assert at.platform.asked == [("shop", 3)]
            at.dispatcher.want("shop", "process:shop", 4)
            assert (await at.told(2))[1].error is None

    asyncio.run(run())


def test_what_was_done_is_renewed_without_a_word() -> None:
    async def run() -> None:
        async with site(renew_s=0.01) as at:
            at.dispatcher.want("shop", "process:shop", 3)
            async with asyncio.timeout(5):
                while len(at.platform.asked) < 4:
                    await asyncio.sleep(0.001)
            assert len(at.outcomes) == 1

    asyncio.run(run())


def test_a_platform_that_does_not_answer_holds_up_no_other_service() -> None:
    async def run() -> None:
        async with site(patience_s=0.05) as at:
            at.platform.gate.clear()
            at.dispatcher.want("stuck", "process:stuck", 1)
            [outcome] = await at.told(1)
            assert "took longer than 0.05 s" in (outcome.error or "")
            at.platform.gate.set()
            at.dispatcher.want("shop", "process:shop", 1)
            async with asyncio.timeout(5):
                while not any(o.service == "shop" and o.error is None for o in at.outcomes):
                    await asyncio.sleep(0.001)

    asyncio.run(run())


def test_control_is_given_back_when_released_and_when_the_target_changes() -> None:
    async def run() -> None:
        async with site() as at:
            at.dispatcher.want("shop", "process:old", 3)
            await at.told(1)
            at.dispatcher.want("shop", "process:new", 3)
            await at.told(3)
            assert sorted(at.platform.asked, key=str) == [("new", 3), ("old", 3), ("old", None)]
            at.dispatcher.release("shop")
            await at.told(4)
            assert at.platform.asked[-1] == ("new", None)
            at.dispatcher.release("shop")
            at.dispatcher.release("never-wanted")
            await asyncio.sleep(0.02)
            assert len(at.platform.asked) == 4

    asyncio.run(run())


def test_what_another_predictor_minds_is_forgotten_and_not_given_back() -> None:
    async def run() -> None:
        async with site(renew_s=0.01) as at:
            at.dispatcher.want("shop", "process:shop", 3)
            await at.told(1)
            at.dispatcher.forget("shop")
            asked = len(at.platform.asked)
            await asyncio.sleep(0.05)
            assert at.platform.asked == [("shop", 3)] * asked
            assert (at.dispatcher.carried_out, at.dispatcher.problems) == ({}, {})
            at.dispatcher.want("shop", "process:shop", 3)
            await at.told(2)

    asyncio.run(run())


def test_a_driver_with_a_defect_is_a_problem_and_not_the_end() -> None:
    async def run() -> None:
        async with site() as at:
            at.platform.failures = [ValueError("oops")]  # type: ignore[list-item]
            at.dispatcher.want("shop", "process:shop", 3)
            outcomes = await at.told(2)
            assert "oops" in (outcomes[0].error or "")
            assert outcomes[1].error is None

    asyncio.run(run())


@pytest.mark.parametrize(
    ("target", "said"),
    [("knative:default/shop", "no driver for .*the predictor has: process"), ("shop", "is none")],
)
def test_a_target_without_a_driver_is_a_problem_told_once_and_gives_the_old_one_back(
    target: str, said: str
) -> None:
    async def run() -> None:
        async with site() as at:
            at.dispatcher.want("shop", "process:shop", 1)
            await at.told(1)
            assert at.dispatcher.carried_out == {"shop": 1}
            for _ in range(3):
                at.dispatcher.want("shop", target, 2)
                await asyncio.sleep(0.02)
            outcomes = await at.told(3)
            assert re.search(said, at.dispatcher.problems["shop"])
            assert re.search(said, outcomes[1].error or "")
            assert at.platform.asked == [("shop", 1), ("shop", None)]
            assert len(outcomes) == 3
            at.dispatcher.want("shop", "process:shop", 2)
            await at.told(4)
            assert at.dispatcher.problems == {}

    asyncio.run(run())


@pytest.mark.parametrize(
    "text", ["", "knative", "knative:a", "knative:a/", "kubernetes:a/b", "process:a/b", "other:a"]
)
def test_a_target_of_no_form_is_refused_with_the_forms(text: str) -> None:
    with pytest.raises(FieldError, match="give knative:NAMESPACE/SERVICE or"):
        parse_target(text)


@pytest.mark.parametrize("text", ["knative:a/b", "kubernetes:a/deployment/b", "process:a"])
def test_a_target_is_written_as_it_is_read(text: str) -> None:
    assert str(parse_target(text)) == text
