"""`prewire backtest` and `prewire replay` on files of users, and on a cluster."""

from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.commands import one_line, run_here


@pytest.fixture(scope="module")
def counts(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three services over 80 minutes: one steady, one with surges, one idle."""
    rng = np.random.default_rng(1)
    steady = rng.poisson(30, 80)
    surges = np.where(np.arange(80) % 10 < 2, rng.poisson(90, 80), 1)
    rows = {"steady": steady, "surges": surges, "idle": np.zeros(80, dtype=int)}
    path = tmp_path_factory.mktemp("data") / "counts.csv.gz"
    with gzip.open(path, "wt") as file:
        file.write("name," + ",".join(f"m{minute}" for minute in range(1, 81)) + "\n")
        for name, row in rows.items():
            file.write(f"{name}," + ",".join(map(str, row)) + "\n")
    return path


@pytest.fixture(scope="module")
def arrivals(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A service's requests: ten at once every 20 s, for three minutes."""
    path = tmp_path_factory.mktemp("data") / "bursts.csv"
    times = [1000 + burst + number / 10 for burst in range(0, 180, 20) for number in range(10)]
    path.write_text("seconds\n" + "".join(f"{time}\n" for time in times), "utf-8")
    return path


def read(*words: str) -> Any:
    """What a command prints as JSON."""
    done = run_here(*words, "-o", "json")
    assert (done.returncode, done.stderr) == (0, ""), done
    return json.loads(done.stdout)


def test_a_backtest_scores_ours_beside_others(counts: Path, tmp_path: Path) -> None:
    files = ("--json", str(tmp_path / "b.json"), "--plot", str(tmp_path / "b.svg"))
    found = read("backtest", str(counts), "--no-global", "--every", "10", *files)
    assert (found["series"], found["first_step"]) == (3, 40)
    assert {"prewire", "last value", "seasonal naive"} <= set(found["methods"])
    assert 0 <= found["methods"]["prewire"]["wape"] < 2
    assert json.loads((tmp_path / "b.json").read_text("utf-8")) == found
    assert "<svg" in (tmp_path / "b.svg").read_text("utf-8")


def test_a_backtest_in_words(counts: Path) -> None:
    words = ("backtest", str(counts), "--no-global", "--every", "20", "--series", "1")
    done = run_here(*words)
    assert (done.returncode, done.stderr) == (0, ""), done
    lines = done.stdout.splitlines()
    assert lines[0] == "1 series, scored at 2 steps"
    assert lines[1].split()[:2] == ["METHOD", "WAPE"]
    assert any(line.startswith("prewire ") for line in lines)


def test_a_replay_has_a_curve_for_each_policy(counts: Path, tmp_path: Path) -> None:
    files = ("--json", str(tmp_path / "r.json"), "--plot", str(tmp_path / "r.svg"))
    policies = ("--policy", "keep-alive", "--policy", "oracle", "--workers", "0")
    found = read("replay", str(counts), "--series", "2", "--service-time", "2s", *policies, *files)
    assert (found["services"], found["seconds"]) == (2, 4800)
    kept = [each for each in found["points"] if each["policy"] == "keep-alive"]
    assert len(kept) >= 5
    costs = [each["cost"]["value"] for each in kept]
    assert costs == sorted(costs)
    assert all(each["queued"]["low"] <= each["queued"]["high"] for each in kept)
    assert json.loads((tmp_path / "r.json").read_text("utf-8")) == found
    assert "<svg" in (tmp_path / "r.svg").read_text("utf-8")


def test_a_replay_of_arrivals_begins_with_the_first(arrivals: Path) -> None:
    words = ("--arrivals", "--policy", "kpa", "--workers", "0", "--cold-start", "1s")
    found = read("replay", str(arrivals), *words)
    assert (found["requests"], found["seconds"], found["services"]) == (90, 161, 1)
    assert found["points"][0]["requests"] == 90


def test_a_replay_in_words(arrivals: Path) -> None:
    done = run_here("replay", str(arrivals), "--arrivals", "--policy", "kpa", "--workers", "0")
    assert (done.returncode, done.stderr) == (0, ""), done
    assert done.stdout.startswith("1 services, 90 requests in 161s; the oracle needs ")
    assert "target 70%" in done.stdout


def test_a_replay_on_a_cluster_finds_the_same(arrivals: Path, cluster: str) -> None:
    words = ("replay", str(arrivals), "--arrivals", "--policy", "kpa")
    assert read(*words, "--cluster", cluster) == read(*words, "--workers", "0")


def test_a_backtest_on_a_cluster_finds_the_same(counts: Path, cluster: str) -> None:
    words = ("backtest", str(counts), "--no-global", "--every", "20")
    here, there = read(*words), read(*words, "--cluster", cluster)
    assert _without_times(there) == _without_times(here)


def _without_times(found: Any) -> Any:
    for method in found["methods"].values():
        del method["ms_per_series"]
    return found


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("backtest", "no.csv"), "no.csv: there is no such file"),
        (("backtest", "http://127.0.0.1:1"), "query: a Prometheus server is asked by a query"),
        (("backtest", "http://127.0.0.1:1", "--query", "up"), "http://127.0.0.1:1"),
        (("replay", "COUNTS", "--policy", "magic"), "no policy 'magic': there are oracle, kpa"),
        (("replay", "COUNTS", "--arrivals"), "no column is a time"),
        (("replay", "ARRIVALS"), "name the columns so"),
        (("backtest", "COUNTS", "--first", "79"), "too few to score from step 79 on"),
        (("backtest", "COUNTS", "--plot", "x.exe"), "end it in .png, .svg, .pdf"),
        (("backtest", "COUNTS", "--json", "nowhere/x.json"), "there is no folder nowhere"),
        (("replay", "COUNTS", "--cluster", "nonsense://x"), "correct the address"),
    ],
)
def test_what_cannot_be_judged_is_one_line(
    counts: Path, arrivals: Path, words: tuple[str, ...], told: str
) -> None:
    files = {"COUNTS": str(counts), "ARRIVALS": str(arrivals)}
    assert told in one_line(run_here(*(files.get(word, word) for word in words)))


@pytest.mark.parametrize(
    "words",
    [
        ("backtest",),
        ("backtest", "x", "--every", "0"),
        ("backtest", "x", "--step", "soon"),
        ("replay", "x", "--lost-percent", "101"),
        ("replay", "x", "--concurrency", "0"),
    ],
)
def test_wrong_usage(words: tuple[str, ...]) -> None:
    assert run_here(*words).returncode == 2
