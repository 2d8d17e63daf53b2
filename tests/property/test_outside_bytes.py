"""No parser of bytes from outside fails but by its documented error, whatever the bytes.

The targets are those of `tests/fuzz`, which has atheris try them for longer. Here are their seeds,
seeds that were damaged, and bytes at random.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from functools import cache

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.fuzz.table import NAMES, target
from tests.nib_strategies import examples

_LONGEST = 300  # bytes of a part that is made up


@cache
def _seeds(name: str) -> tuple[bytes, ...]:
    return (b"", *target(name).seeds())


@st.composite
def _damaged(draw: st.DrawFn, name: str) -> bytes:
    """A seed, of which a part was left out, doubled, or replaced by bytes or a word."""
    seed = draw(st.sampled_from(_seeds(name)))
    begin = draw(st.integers(0, len(seed)))
    end = draw(st.integers(begin, min(len(seed), begin + 16)))
    words = st.sampled_from([b"", b"\0" * 8, b"\xff" * 8, b"9" * 40, *target(name).tokens])
    middle = draw(st.one_of(words, st.binary(max_size=_LONGEST), st.just(seed[begin:end] * 2)))
    return seed[:begin] + middle + seed[end:]


@pytest.fixture(autouse=True)
def _quiet() -> Iterator[None]:
    """What is malformed is logged by some."""
    logging.disable(logging.CRITICAL)
    yield
    logging.disable(logging.NOTSET)


@pytest.mark.parametrize("name", NAMES)
def test_seeds(name: str) -> None:
    for seed in _seeds(name):
        target(name).attempt(seed)


@pytest.mark.filterwarnings("ignore::RuntimeWarning")  # numpy's, of numbers beyond its range
@pytest.mark.parametrize("name", NAMES)
@given(data=st.data())
@examples(0.5)
def test_any_bytes(name: str, data: st.DataObject) -> None:
    target(name).attempt(data.draw(st.one_of(_damaged(name), st.binary(max_size=_LONGEST))))
