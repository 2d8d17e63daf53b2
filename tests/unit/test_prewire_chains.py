"""Dependencies as chains of services, as text."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

from prewire.forecasting.dependency_commands import chains


def edge(source: str, target: str, lag_ms: int | None = 1000) -> dict[str, Any]:
    return {"source": source, "target": target, "lag_ms": lag_ms, "origin": "learned"}


def test_children_are_below_their_parents_in_order() -> None:
    assert chains([edge("web", "shop"), edge("shop", "db", 250), edge("shop", "cache", None)]) == [
        "web",
        "  -> shop after 1s (learned)",
        "    -> cache (learned)",
        "    -> db after 250ms (learned)",
    ]


def test_a_service_of_two_parents_has_its_children_shown_once() -> None:
    assert chains([edge("a", "c"), edge("b", "c"), edge("c", "d")]) == [
        "a",
        "  -> c after 1s (learned)",
        "    -> d after 1s (learned)",
        "b",
        "  -> c after 1s (learned, see above)",
    ]


def test_a_circle_ends() -> None:
    assert chains([edge("a", "b"), edge("b", "a")]) == [
        "a",
        "  -> b after 1s (learned)",
        "    -> a after 1s (learned, see above)",
    ]


def test_a_long_chain_is_shown_whole() -> None:
    names = [f"s{number:05}" for number in range(3001)]
    edges = [edge(*pair) for pair in pairwise(names)]
    assert len(chains(edges)) == 3001
