"""The collector is off while the work is done, and on again whatever comes of it."""

from __future__ import annotations

import gc

import pytest

from ryu_apps.uncollected import uncollected


@uncollected
def inner() -> bool:
    return gc.isenabled()


@uncollected
def outer() -> tuple[bool, bool]:
    return inner(), gc.isenabled()


@uncollected
def failing() -> None:
    raise ValueError("no")


def test_it_is_off_meanwhile() -> None:
    assert inner() is False
    assert gc.isenabled()


def test_work_within_work_leaves_it_off() -> None:
    assert outer() == (False, False)
    assert gc.isenabled()


def test_it_is_on_again_after_a_failure() -> None:
    with pytest.raises(ValueError, match="no"):
        failing()
    assert gc.isenabled()
