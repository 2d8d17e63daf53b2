"""What the scale page says is what its slopes say."""

from __future__ import annotations

import pytest

from benchmarks.control.slopes import TERMS, WORLDS, slopes
from benchmarks.results.on_paper import extrapolated, tables, written

FACTORS = (70.0, 3.0, 0.5, 0.25, 0.125, 9.0)


def at(switches: int, services: int, each: int) -> float:
    """A figure that has these slopes."""
    containers = services * each
    sizes = (1, switches, services, containers, switches * services, switches * containers)
    return sum(factor * size for factor, size in zip(FACTORS, sizes, strict=True))


def test_the_worlds_tell_all_slopes_apart() -> None:
    found, off = slopes({size: at(*size) for size in WORLDS})
    assert found == pytest.approx(FACTORS, rel=1e-2)
    assert off < 1e-3


def test_a_figure_on_no_plane_is_off() -> None:
    _, off = slopes({size: at(*size) ** 2 for size in WORLDS})
    assert off > 0.01


def test_sites_share_switches_services_and_containers() -> None:
    rows = {term: {"flows": factor} for term, factor in zip(TERMS, FACTORS, strict=True)}
    assert extrapolated("flows", rows, 1) == at(1000, 100_000, 10)
    assert extrapolated("flows", rows, 100) == at(10, 1000, 10)


def test_tables_go_between_their_marks() -> None:
    page = (
        "a <!-- begin machine -->old<!-- end machine --> b <!-- begin slopes --><!-- end slopes -->"
    )
    found = tables({}, {"memory": "24 GiB"})
    once = written(page, found)
    assert "memory: 24 GiB." in once
    assert "old" not in once
    assert once.endswith("b <!-- begin slopes --><!-- end slopes -->")
    assert written(once, found) == once
