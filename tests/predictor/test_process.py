"""`prewire predictor`, as processes on a real database, reading a real page over HTTP."""

from __future__ import annotations

import json
import signal
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Final

import pytest

from nib.database import Nib
from nib.plans import SHARDS, ContainerPlan, Predictor, PrewarmRequest, Shard, shard_of
from nib.prewarm import Scaling
from nib.server import EmbeddedServer
from tests.places import short_directory
from tests.predictor.outward_site import clear, container, put, service
from tests.predictor.process_site import Page, Running, page_server, predictor
from tests.waiting import until

# Beside other tests; alone a predictor takes over within 6 s, and ends within 3.
TAKEOVER_S: Final = 60.0
ENDS_S: Final = 60.0


@pytest.fixture(scope="module")
def embedded() -> Iterator[tuple[str, Nib]]:
    with (
        short_directory() as directory,
        EmbeddedServer(directory) as server,
        Nib(server.remote, "test") as nib,
    ):
        yield server.remote, nib


@pytest.fixture
def remote(embedded: tuple[str, Nib]) -> str:
    clear(embedded[1])
    return embedded[0]


@pytest.fixture
def nib(embedded: tuple[str, Nib]) -> Nib:
    return embedded[1]


def plan_of(nib: Nib, name: str = "shop") -> ContainerPlan | None:
    with nib.view() as view:
        return view.get(ContainerPlan, name)


def requests_of(nib: Nib, name: str = "shop") -> tuple[PrewarmRequest, ...]:
    with nib.view() as view:
        return view.requests_of(name)


def holders(nib: Nib) -> dict[str, str]:
    with nib.view() as view:
        return {shard.key: shard.holder for shard in view.all(Shard)}


def is_planned(plan: ContainerPlan | None, containers: int) -> bool:
    return plan is not None and plan.containers >= containers and not plan.stale


def written(directory: Path) -> tuple[tuple[int, int], ...]:
    """Sizes and times of the files of a history."""
    stats = [path.stat() for path in sorted(directory.glob("history.sqlite*"))]
    return tuple((stat.st_size, stat.st_mtime_ns) for stat in stats)


def test_load_gives_plans_and_requests_which_go_on_after_a_crash(
    remote: str, nib: Nib, tmp_path: Path
) -> None:
    put(nib, service(), Scaling("shop", hold_seconds=2))
    page = Page({"shop": lambda _: 5.0})
    with page_server(page) as url:
        with predictor(remote, url, tmp_path) as first:
            until(lambda: plan_of(nib), lambda plan: is_planned(plan, 5), "a plan for the load")
            [request] = until(lambda: requests_of(nib), bool, "a prewarm request")
            assert request.missing == request.containers >= 5
            page.start_again()
            before = written(tmp_path)
            until(lambda: written(tmp_path), lambda now: now != before, "history is written", 60)
            lowest = plan_of(nib)
            assert lowest is not None
            assert lowest.containers >= 5, "counters that begin again are no load, and no end of it"
            first.kill()
        page.loads["shop"] = lambda _: 14.0
        page.how = "away"
        with predictor(remote, url, tmp_path) as second:
            known = 'prewire_predictor_series{kind="service"}'
            until(lambda: second.figure(known), lambda n: n == 1, "the service is remembered")
            assert (plan_of(nib) or lowest).containers >= 5
            page.how = "live"
            until(lambda: plan_of(nib), lambda plan: is_planned(plan, 14), "a plan for more load")
            assert second.end() < ENDS_S


def test_plans_stay_and_are_marked_stale_while_there_are_no_metrics(
    remote: str, nib: Nib, tmp_path: Path
) -> None:
    put(nib, service(), Scaling("shop", hold_seconds=0))
    page = Page({"shop": lambda _: 5.0})
    with page_server(page) as url, predictor(remote, url, tmp_path):
        held = until(lambda: plan_of(nib), lambda plan: is_planned(plan, 5), "a plan")
        assert held is not None
        seen: set[int] = set()

        def look() -> ContainerPlan | None:
            plan = plan_of(nib)
            seen.add(0 if plan is None else plan.containers)
            return plan

        for how in ("garbage", "away", "slow"):
            page.how, reads = how, page.reads
            enough = reads + (1 if how == "slow" else 2)
            until(
                lambda: (look(), page.reads)[1],
                lambda now, enough=enough: now >= enough,  # type: ignore[misc]
                f"a page that is {how}",
            )
        until(look, lambda plan: plan is not None and plan.stale, "the plan is stale", 60)
        assert min(seen) >= held.containers
        page.how = "live"
        page.ended.set()
        until(look, lambda plan: is_planned(plan, 5), "metrics are there again", 60)


def test_predictors_share_the_services_and_take_over_from_one_that_is_gone(
    remote: str, nib: Nib, tmp_path: Path
) -> None:
    names = [f"shop{number}" for number in range(24)]
    for number, name in enumerate(names, start=1):
        put(nib, service(name, number), Scaling(name, hold_seconds=0))
    page = Page(dict.fromkeys(names, lambda _: 3.0))
    with page_server(page) as url, ExitStack() as stack:
        one, two = (
            stack.enter_context(predictor(remote, url, tmp_path, name)) for name in ("one", "two")
        )
        shared(nib, {"one", "two"})
        until(lambda: all(is_planned(plan_of(nib, n), 3) for n in names), bool, "all are planned")

        two.process.send_signal(signal.SIGSTOP)
        taken_over(nib, "one", TAKEOVER_S)
        two.process.send_signal(signal.SIGCONT)
        shared(nib, {"one", "two"})
        settled(nib)

        gone = [name for name in names if holders(nib)[str(shard_of(name))] == "two"]
        assert gone
        page.loads = dict.fromkeys(names, lambda _: 9.0)
        two.kill()
        began = time.monotonic()
        for name in gone:
            until(
                lambda name=name: plan_of(nib, name),  # type: ignore[misc]
                lambda plan: is_planned(plan, 9),
                f"{name} is planned by the other",
                TAKEOVER_S,
            )
        taken_over(nib, "one", TAKEOVER_S)
        assert time.monotonic() - began < TAKEOVER_S

        stack.enter_context(predictor(remote, url, tmp_path, "three"))
        shared(nib, {"one", "three"})
        assert one.end() < ENDS_S
        taken_over(nib, "three", TAKEOVER_S)
        with nib.view() as view:
            assert [each.name for each in view.all(Predictor)] == ["three"]


def shared(nib: Nib, among: set[str]) -> None:
    """Every shard has a holder, and each of these holds some."""

    def look() -> tuple[dict[str, str], tuple[Predictor, ...]]:
        with nib.view() as view:
            return holders(nib), view.all(Predictor)

    until(
        look,
        lambda seen: len(seen[0]) == SHARDS and set(seen[0].values()) == among,
        f"{sorted(among)} share the shards",
    )


def taken_over(nib: Nib, by: str, within_s: float) -> None:
    until(
        lambda: holders(nib),
        lambda held: len(held) == SHARDS and set(held.values()) == {by},
        f"{by} has all shards",
        within_s,
    )


def settled(nib: Nib) -> None:
    """Nobody hands over any more: the same epochs for two beats."""
    since, last = time.monotonic(), None

    def look() -> bool:
        nonlocal since, last
        with nib.view() as view:
            now = sorted((shard.key, shard.epoch) for shard in view.all(Shard))
        if now != last:
            since, last = time.monotonic(), now
        return time.monotonic() - since > 2.5

    until(look, bool, "shards stay where they are")


@pytest.fixture
def commands(tmp_path: Path) -> Path:
    """Three places for containers of the shop; each notes that it ran."""
    start = [sys.executable, "-c", "import sys, time; open(sys.argv[1], 'w'); time.sleep(1000)"]
    places = [{"id": f"c{n}", "start": [*start, str(tmp_path / f"c{n}")]} for n in range(1, 4)]
    path = tmp_path / "commands.json"
    path.write_text(json.dumps({"shop": places}))
    return path


def ran(directory: Path) -> int:
    return len(list(directory.glob("c[0-9]")))


def children(running: Running) -> int:
    """Processes that it started."""
    path = Path(f"/proc/{running.process.pid}/task/{running.process.pid}/children")
    return len(path.read_text().split())


def test_a_target_of_processes_has_as_many_run_as_are_planned(
    remote: str, nib: Nib, tmp_path: Path, commands: Path
) -> None:
    put(nib, service(), Scaling("shop", hold_seconds=0, target="process:shop"))
    page = Page({"shop": lambda _: 2.0})
    with page_server(page) as url:
        with predictor(remote, url, tmp_path, container_commands=str(commands)) as running:
            until(lambda: ran(tmp_path), lambda count: count == 3, "three containers run")
            [request] = until(lambda: requests_of(nib), bool, "a request")
            until(
                lambda: requests_of(nib)[0].state,
                lambda state: state == "accepted",
                "the request is accepted",
            )
            put(nib, *(container(number, "shop") for number in range(1, 4)))
            until(lambda: requests_of(nib)[0].state, lambda state: state == "ready", "it is ready")
            assert running.end() < ENDS_S
        assert request.service == "shop"


def test_a_fresh_predictor_without_metrics_lets_run_what_runs(
    remote: str, nib: Nib, tmp_path: Path, commands: Path
) -> None:
    put(nib, service(), Scaling("shop", hold_seconds=0, target="process:shop"))
    put(nib, *(container(number, "shop") for number in range(1, 3)))
    page = Page({"shop": lambda _: 0.0}, how="away")
    with (
        page_server(page) as url,
        predictor(remote, url, tmp_path, container_commands=str(commands)) as running,
    ):
        plan = until(lambda: plan_of(nib), bool, "a plan")
        assert plan is not None
        assert plan.stale
        until(lambda: children(running), lambda count: count == 2, "those that there are run")
        reads = page.reads
        until(lambda: page.reads, lambda now: now >= reads + 1, "nothing is heard once more", 60)
        assert children(running) == 2
        page.how = "live"
        until(lambda: children(running), lambda count: count == 0, "there is no load: none", 60)
