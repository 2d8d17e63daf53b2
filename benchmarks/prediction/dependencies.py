"""How well dependencies are found: on loads that are made up, and on a real application's requests.

The real ones are of PetShop (CC-BY 4.0, root-cause data set of a micro-service application): counts
of its parts every 300 s, with the true call graph. At such steps all calls are in the same one and
nothing precedes anything: "same step" has the pairs that correlate there, "as recorded" what is
found to come earlier. "delayed" counts each part two steps later per call from the entry. Who
talks: those that call each other, and as many pairs that do not. Exits 1 where data are missing.
"""

from __future__ import annotations

import argparse
import csv
import gzip
import json
import sys
import time
from collections.abc import Collection, Iterable
from pathlib import Path
from typing import Final, TypeAlias

import networkx as nx
import numpy as np

from benchmarks.errors import BenchmarkFailed
from benchmarks.prediction.traces import TRACES, traces
from benchmarks.results.report import Outcome, Row, Target
from nib.plans import Dependency
from predictor.dependencies.boost import boost
from predictor.dependencies.discover import among_all, surprises
from predictor.dependencies.learner import Learner, discover
from predictor.series.synthetic import site
from predictor.series.window import Floats, Window

CHAINS: Final = 20
MANY_CHAINS: Final = 100
STEPS: Final = 900
LAGS: Final = 60
_STEP_S: Final = 300.0
_DELAY: Final = 2  # steps a call
_SEED: Final = 7
_CORRELATED: Final = 0.3
Pair: TypeAlias = tuple[str, str]


def measure(rounds: int | None, seconds: int | None) -> Outcome:
    """All of it; neither rounds nor seconds have a meaning here."""
    del rounds, seconds
    return outcome(traces())


def outcome(directory: Path) -> Outcome:
    """As rows and targets. BenchmarkFailed where PetShop's traces are not in this directory."""
    rows: dict[str, Row] = {}
    made = site(CHAINS, _SEED, STEPS)
    links = {(link.parent, link.child) for link in made.links}
    name = f"made up, {len(made.window.names)} services of 1 s"
    rows[f"{name}, who talks known"] = _row(made.window, made.talks, links, LAGS)
    rows[f"{name}, unknown"] = _row(made.window, None, links, LAGS)
    for load in ("high", "low"):
        window, calls = _petshop(directory, load)
        rows |= _of_petshop(f"PetShop, {load}", window, calls)
    gated = rows[f"{name}, who talks known"]
    correlating_s, stepping_s, boosting_s = _costs()
    return Outcome(
        "dependencies",
        "edges found, and by how much they lower the child's loss at quantile .95",
        rows,
        (
            Target("precision, made up, who talks known", gated["precision"], 0.95, at_least=True),
            Target("recall, made up, who talks known", gated["recall"], 0.85, at_least=True),
            Target("500 services correlated, CPU s", correlating_s, 2.0, at_least=False),
        ),
        (
            f"500 services, {STEPS} steps, {LAGS} lags: all pairs correlated in "
            f"{correlating_s:.2f} CPU s; 200 of them learned in {stepping_s:.2f} s; "
            f"boost along all edges in {1000 * boosting_s:.0f} ms",
        ),
    )


def _of_petshop(name: str, window: Window, calls: set[Pair]) -> dict[str, Row]:
    """As recorded, and delayed, with the gate and without."""
    delayed, ahead = _delayed(window, calls)
    talks = calls | _others(window, calls)
    return {
        f"{name}, same step, known": _together(window, talks, calls),
        f"{name}, same step, unknown": _together(window, None, calls),
        f"{name}, as recorded, known": _row(window, talks, calls, 6),
        f"{name}, as recorded, unknown": _row(window, None, calls, 6),
        f"{name}, delayed, known": _row(delayed, talks, ahead, 6 * _DELAY),
        f"{name}, delayed, unknown": _row(delayed, None, ahead, 6 * _DELAY),
    }


def _together(window: Window, talks: Collection[Pair] | None, truth: set[Pair]) -> Row:
    """Pairs, whichever way round, that correlate in the same step: what correlation alone says."""
    start = time.perf_counter()
    whitened = surprises(window.values)
    rows = np.argwhere(np.triu(whitened @ whitened.T, 1) >= _CORRELATED)
    pairs = {(window.names[a], window.names[b]) for a, b in rows}
    if talks is not None:
        pairs = {pair for pair in pairs if pair in talks or pair[::-1] in talks}
    right = [pair for pair in pairs if pair in truth or pair[::-1] in truth]
    return {
        "true": len(truth),
        "found": len(pairs),
        "right": len(right),
        "precision": len(right) / len(pairs) if pairs else 0.0,
        "recall": len(right) / len(truth),
        "gain p50": 0.0,
        "seconds": time.perf_counter() - start,
    }


def _row(window: Window, talks: Collection[Pair] | None, truth: set[Pair], lags: int) -> Row:
    """precision and gain are 0 where nothing is found."""
    start = time.perf_counter()
    found = discover(window, talks, lags)
    took_s = time.perf_counter() - start
    right = [each for each in found if each.key in truth]
    return {
        "true": len(truth),
        "found": len(found),
        "right": len(right),
        "precision": len(right) / len(found) if found else 0.0,
        "recall": len(right) / len(truth),
        "gain p50": _median_gain(right),
        "seconds": took_s,
    }


def _median_gain(found: Iterable[Dependency]) -> float:
    gains = [each.gain_permille / 1000 for each in found]
    return float(np.median(gains)) if gains else 0.0


def _costs() -> tuple[float, float, float]:
    """CPU seconds of correlating 500 services, of a learner's step, of a boost."""
    made = site(MANY_CHAINS, _SEED, STEPS)
    window = made.window
    start = time.process_time()
    whitened = surprises(window.values)
    among_all(whitened, np.arange(len(whitened)), LAGS, 0.2)
    correlated = time.process_time()
    learner = Learner(LAGS)
    learner.step(window, made.talks)
    stepped = time.process_time()
    edges = [Dependency(link.parent, link.child, 1000 * link.lag) for link in made.links]
    before = time.process_time()
    boost(window, edges, 10.0)
    return correlated - start, stepped - correlated, time.process_time() - before


def _petshop(directory: Path, load: str) -> tuple[Window, set[Pair]]:
    """Requests of its parts, and which call which; parts are numbered in their order."""
    try:
        with gzip.open(directory / "petshop" / f"{load}_traffic_requests.csv.gz", "rt") as file:
            heads, *lines = csv.reader(file)
        with (directory / "petshop" / f"{load}_traffic_graph.csv").open() as file:
            targets, *sources = csv.reader(file)
    except OSError as error:
        raise BenchmarkFailed(f"no traces in {directory}: {error}; set {TRACES}") from error
    names = {head.partition("|")[0]: f"part-{i}" for i, head in enumerate(heads[1:])}
    calls = {
        (names[source], names[target])
        for source, *cells in sources
        for target, cell in zip(targets[1:], cells, strict=True)
        if float(cell) and source in names and target in names
    }
    values = np.array([[float(cell or "nan") for cell in line[1:]] for line in lines]).T
    return Window(tuple(names.values()), _STEP_S, 0, values), calls


def _delayed(window: Window, calls: set[Pair]) -> tuple[Window, set[Pair]]:
    """Each part later by its distance from where calls enter; and the calls with a delay."""
    graph = nx.DiGraph(calls)
    entries = [node for node in graph if not graph.in_degree(node)]
    away = nx.multi_source_dijkstra_path_length(graph, entries) if entries else {}
    longest = _DELAY * max(away.values(), default=0)
    values: Floats = np.stack(
        [
            series[longest - _DELAY * away.get(name, 0) :][: window.steps - longest]
            for name, series in zip(window.names, window.values, strict=True)
        ]
    )
    ahead = {(a, b) for a, b in calls if away.get(a, 0) < away.get(b, 0)}
    return Window(window.names, window.step_s, window.end_ms, values), ahead


def _others(window: Window, calls: set[Pair]) -> set[Pair]:
    """As many pairs that do not call each other."""
    rng = np.random.default_rng(_SEED)
    found: set[Pair] = set()
    while len(found) < len(calls):
        a, b = (window.names[int(i)] for i in rng.integers(0, len(window.names), 2))
        if a != b and (a, b) not in calls and (b, a) not in calls:
            found.add((a, b))
    return found


def main() -> int:
    """The command; returns its exit code."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.prediction.dependencies", description=__doc__
    )
    parser.add_argument("traces", nargs="?", type=Path, help=f"directory; default: ${TRACES}")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write all figures there too")
    options = parser.parse_args()
    try:
        found = outcome(options.traces or traces())
    except BenchmarkFailed as error:
        print(f"benchmarks.prediction.dependencies: {error}", file=sys.stderr)
        return 1
    print(found.as_table())
    if options.json:
        options.json.write_text(json.dumps(found.as_json(), indent=2) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
