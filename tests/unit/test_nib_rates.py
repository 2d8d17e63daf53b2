"""Rates as people write them: what is read, what is refused and why, and what is shown."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nib.rates import LEAST_BPS, MOST_BPS, read_rate, show_rate


@pytest.mark.parametrize(
    ("given", "bps"),
    [
        (10_000_000, 10_000_000),
        ("10M", 10_000_000),
        ("10 M", 10_000_000),
        (" 10M ", 10_000_000),
        ("10Mbps", 10_000_000),
        ("10Mbit", 10_000_000),
        ("10 Mbit/s", 10_000_000),
        ("10Mb/s", 10_000_000),
        ("1.5Gbps", 1_500_000_000),
        ("0.0025G", 2_500_000),
        ("500k", 500_000),
        ("500K", 500_000),
        ("4T", MOST_BPS),
        ("1k", LEAST_BPS),
        ("1000bps", 1000),
        ("1500 bit/s", 1500),
    ],
)
def test_what_is_read(given: int | str, bps: int) -> None:
    assert read_rate(given) == bps


@pytest.mark.parametrize(
    ("given", "why"),
    [
        ("10", "no unit"),
        ("10000000", "no unit"),
        ("10MB", "bytes"),
        ("10MB/s", "bytes"),
        ("10 MByte", "bytes"),
        ("10Mi", "binary"),
        ("10MiB", "binary"),
        ("1GiBps", "binary"),
        ("10m", 'small "m"'),
        ("10mbps", 'small "m"'),
        ("10g", "no rate"),
        ("", "no rate"),
        ("M", "no rate"),
        ("fast", "no rate"),
        ("1,5G", "no rate"),
        ("1_000k", "no rate"),
        ("1e6bps", "no rate"),
        ("+10M", "no rate"),
        ("-10M", "no rate"),
        ("10M10M", "no rate"),
        ("10MM", "no rate"),
        (".5G", "no rate"),
        ("0x10M", "no rate"),
        ("inf", "no rate"),
        ("nan", "no rate"),
        ("\u0661\u0660M", "no rate"),
        ("10\u00a0M", "no rate"),
        ("1.0005k", "whole number"),
        ("0", "no unit"),
        ("0M", "between"),
        (0, "between"),
        (-1, "between"),
        (999, "between"),
        ("0.5k", "between"),
        (MOST_BPS + 1, "between"),
        ("5T", "between"),
        (10**30, "between"),
    ],
)
def test_what_is_refused_says_why(given: int | str, why: str) -> None:
    with pytest.raises(ValueError, match=why):
        read_rate(given)


@pytest.mark.parametrize(
    ("bps", "shown"),
    [(10_000_000, "10M"), (1_500_000_000, "1.5G"), (500_000, "500k"), (0, "0"), (999, "999"),
     (999_999_999, "1000M"), (12_345_678, "12.346M"), (MOST_BPS, "4T")],
)  # fmt: skip
def test_what_is_shown(bps: int, shown: str) -> None:
    assert show_rate(bps) == shown


@given(st.integers(LEAST_BPS, MOST_BPS))
def test_what_is_shown_is_read_as_the_same_to_three_digits(bps: int) -> None:
    """A rate is shown with three digits after the point: at most half a thousandth of its unit
    away."""
    again = read_rate(show_rate(bps))
    assert abs(again - bps) <= bps * 0.0005


@given(st.integers(1, 999), st.sampled_from("kMG"), st.sampled_from(["", "bps", "bit", "b/s"]))
def test_whole_numbers_with_a_prefix_are_shown_as_they_were_written(
    number: int, prefix: str, unit: str
) -> None:
    assert show_rate(read_rate(f"{number}{prefix}{unit}")) == f"{number}{prefix}"
