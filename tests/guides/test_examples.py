"""examples/: each does what it says, typed on one machine on which `prewire up` runs."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Final

import pytest

from tests.machine import Machine
from tests.needs import need_ovs
from tests.typed import ROOT, machine_with_prewire, typed

EXAMPLES: Final = ROOT / "examples"
NAMES: Final = tuple(sorted(each.parent.name for each in EXAMPLES.glob("*/run.sh")))

_AT_A_TIME: Final = 2
_BRIDGE: Final = f"source {EXAMPLES}/lib.sh; bridge"
_LINK: Final = re.compile(r"\]\((\d\d-[a-z-]+)/?(?:README\.md)?\)")

# What is said where an example came true, in this order. It also has to end with exit code 0.
SAYS: Final[Mapping[str, tuple[str, ...]]] = {
    "01-service": (r" I am hello-1\n", r" I am hello-2\n"),
    "02-canary": (r"menu-2 +6/64", r"menu-2 +32/64", r"I am menu-2", r" 10 I am menu-1"),
    "03-drain": (r"files-1 .* draining", r" 5 I am files-2", r"safe_to_stop +(True|yes)"),
    "04-limits-and-guarantees": (r"0\.\d+ s\n", r"[1-9]\.\d+ s\n", r"65M are free", r"35M"),
    "05-prewarm": (r"requested .* schedule", r" ready ", r"lunch-3", r"override.*holiday"),
    "06-dependency": (r"pinned", r"dependency .* a parent's surge"),
    "07-document": (r"4 created", r"4 unchanged", r"services\[0\]\.vip", r"max_bps 50M -> 80M"),
    "08-watch-and-wait": (
        r"feed-1 ready",
        r"feed-1 gone",
        r"feed-1 is ready\n(.*\n)?feed-1 is gone",
    ),
    "09-registrar-token": (r"mail: 20\d", r"bank: 40[34]", r"\n401\n", r"mail: 401"),
}


@pytest.fixture(scope="module")
def machine() -> Iterator[Machine]:
    """With prewire, and the bridge that all examples share."""
    need_ovs()
    with machine_with_prewire({"PREWIRE_STATS_SECONDS": "1"}) as ready:
        typed(ready, _BRIDGE)
        yield ready


@pytest.fixture(scope="module")
def runs(machine: Machine, request: pytest.FixtureRequest) -> Iterator[Mapping[str, Future[str]]]:
    """All examples that are tested now, two at a time: they mostly wait."""
    wanted = {
        item.callspec.params.get("name")
        for item in request.session.items
        if hasattr(item, "callspec")
    }
    with ThreadPoolExecutor(_AT_A_TIME) as pool:
        yield {
            name: pool.submit(typed, machine, f"exec {EXAMPLES / name}/run.sh", 150)
            for name in NAMES
            if name in wanted
        }


@pytest.mark.root
@pytest.mark.parametrize("name", NAMES)
def test_an_example_comes_true(name: str, runs: Mapping[str, Future[str]]) -> None:
    rest = runs[name].result()
    for each in SAYS[name]:
        found = re.search(each, rest)
        assert found, f"{each!r} is not said in:\n{rest}"
        rest = rest[found.end() :]


@pytest.mark.root
def test_examples_leave_nothing_behind(machine: Machine, runs: Mapping[str, Future[str]]) -> None:
    for each in runs.values():
        each.exception()  # only waited for
    left = typed(machine, "ip netns; ovs-vsctl list-ports examples; prewire service list -o json")
    assert '"items": []' in left
    assert not re.search(r"^(?!pwh-)[a-z]+-\d", left, re.MULTILINE), left


def test_every_example_has_a_page_and_is_on_the_list() -> None:
    listed = set(_LINK.findall((EXAMPLES / "README.md").read_text(encoding="utf-8")))
    assert listed == set(NAMES) == set(SAYS)
    for name in NAMES:
        page = EXAMPLES / name / "README.md"
        assert page.read_text(encoding="utf-8").startswith("# "), page


def test_every_example_can_be_run() -> None:
    assert all(_mode(EXAMPLES / name / "run.sh") & 0o111 for name in NAMES)


def _mode(path: Path) -> int:
    return path.stat().st_mode
