"""Ready, draining, gone."""

from __future__ import annotations

import pytest

from gateway_lb.lifecycle import drained, draining, is_ready
from nib.records import Container

READY = Container("web", "c1", "10.0.1.1", 8080, "02:00:00:00:00:01", iface_id="pod-1", number=7)


def test_a_draining_container_is_not_ready() -> None:
    container = draining(READY, 1_000, 60)
    assert is_ready(READY)
    assert not is_ready(container)
    assert (container.drain_until_ms, container.number) == (61_000, 7)


@pytest.mark.parametrize(("later_s", "until_ms"), [(120, 61_000), (10, 12_000), (59, 61_000)])
def test_draining_anew_never_lasts_longer(later_s: float, until_ms: int) -> None:
    assert draining(draining(READY, 1_000, 60), 2_000, later_s).drain_until_ms == until_ms


@pytest.mark.parametrize(("now_ms", "is_over"), [(60_999, False), (61_000, True), (70_000, True)])
def test_draining_is_over_at_its_end(now_ms: int, is_over: bool) -> None:
    container = draining(READY, 1_000, 60)
    assert drained([READY, container], now_ms) == ([container] if is_over else [])
