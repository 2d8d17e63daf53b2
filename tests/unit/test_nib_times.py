"""Durations and points in time as people write them."""

from __future__ import annotations

import pytest

from nib.times import read_duration, read_instant, show_duration, show_instant


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("500ms", 0.5), ("90", 90), ("20m", 1200), ("1.5h", 5400), ("7d", 604_800), ("0", 0)],
)
def test_durations(text: str, seconds: float) -> None:
    assert read_duration(text) == seconds


@pytest.mark.parametrize("text", ["", "m", "-1s", "1w", "1 s", "1e3", "٣s", "1s\n", "nan"])
def test_no_durations(text: str) -> None:
    with pytest.raises(ValueError, match="is not a duration"):
        read_duration(text)


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0, "0s"), (0.5, "500ms"), (90, "90s"), (1200, "20m"), (5400, "90m"), (604_800, "7d")],
)
def test_durations_are_shown_as_they_are_read(seconds: float, text: str) -> None:
    assert show_duration(seconds) == text
    assert read_duration(text) == seconds


@pytest.mark.parametrize(
    ("text", "at_ms"),
    [
        ("2026-11-22T18:30:00Z", 1_795_372_200_000),
        ("2026-11-22t19:30:00.25+01:00", 1_795_372_200_250),
        ("2026-11-22 18:30:00z", 1_795_372_200_000),
    ],
)
def test_points_in_time(text: str, at_ms: int) -> None:
    assert read_instant(text) == at_ms


@pytest.mark.parametrize(
    "text",
    [
        "", "now", "2026-11-22", "2026-11-22T18:30:00", "2026-11-22T18:30Z", "20261122T183000Z",
        "2026-02-30T00:00:00Z", "2026-11-22T25:00:00Z", "2026-11-22T18:30:00+25:00",
        "1969-12-31T23:59:59Z", "9999-12-31T23:59:59Z", "2026-W47-7T18:30:00Z",
    ],
)  # fmt: skip
def test_no_points_in_time(text: str) -> None:
    with pytest.raises(ValueError, match=r"is no point in time|is out of range"):
        read_instant(text)


def test_points_in_time_are_shown_in_utc() -> None:
    assert show_instant(1_795_372_200_250) == "2026-11-22T18:30:00Z"
    assert show_instant(2**63 - 1) == str(2**63 - 1)
