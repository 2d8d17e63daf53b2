"""The commands `backtest` and `replay`: forecasts and policies judged on users' own data."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from nib.times import show_duration
from prewire.commands import show
from prewire.commands.command_options import Form, duration, time_option
from prewire.commands.show import Output
from prewire.forecasting.options import long_seconds

if TYPE_CHECKING:
    from predictor.replay.results import Point

# Only these commands compute: all others do without numpy.
# ruff: noqa: PLC0415

_METHOD_COLUMNS: Final = {
    "METHOD": "method",
    "WAPE": "wape",
    "WAPE 1 STEP": "wape_h1",
    "PINBALL .95": "pinball_95",
    "COVERAGE .95": "coverage_95",
    "MS A SERIES": "ms_per_series",
}
_POINT_COLUMNS: Final = {
    "POLICY": "policy",
    "SETTING": "setting",
    "WAITED": "queued",
    "90 %": "queued_interval",
    "COST": "cost",
    "90 % ": "cost_interval",
    "MEAN WAIT": "waited_s",
}

Data = Annotated[
    str,
    typer.Argument(
        help="CSV file (.gz too): wide (name, then a count a step, m1 first) or long (name, time, "
        "count); or the URL of a Prometheus server."
    ),
]
Step = Annotated[
    float, typer.Option("--step", parser=duration, metavar="TIME", help="Of a step of the data.")
]
Query = Annotated[
    str | None, typer.Option(help="What a Prometheus server is asked: a count a step.")
]
Label = Annotated[
    str | None, typer.Option(help="The label that names series. [default: all labels]")
]
Since = Annotated[
    int, typer.Option("--since", parser=long_seconds, metavar="TIME", help="How far back to ask.")
]
Series = Annotated[
    int | None, typer.Option(min=1, help="Only so many series, the busiest. [default: all]")
]
Json = Annotated[Path | None, typer.Option("--json", help="File for the result as JSON.")]
Plot = Annotated[Path | None, typer.Option(help="File for a picture: .png, .svg or .pdf.")]
Cluster = Annotated[
    str | None,
    typer.Option(metavar="ADDRESS", help="Dask scheduler, tcp://HOST:8786. [default: here]"),
]
Seed = Annotated[int, typer.Option(min=0, help="Of all randomness.")]


def add(app: typer.Typer) -> None:
    """Add the commands."""
    app.command()(backtest)
    app.command()(replay)


def backtest(
    data: Data,
    *,
    step: Step = "1m",  # type: ignore[assignment]  # read by its parser
    query: Query = None,
    label: Label = None,
    since: Since = "7d",  # type: ignore[assignment]
    series: Series = None,
    first: Annotated[
        int | None, typer.Option(min=1, help="Step scoring begins at. [default: half of them]")
    ] = None,
    every: Annotated[int, typer.Option(min=1, help="Score every so many steps.")] = 1,
    with_global: Annotated[
        bool, typer.Option("--global/--no-global", help="With the LightGBM model, refitted.")
    ] = True,
    seed: Seed = 0,
    json: Json = None,
    plot: Plot = None,
    cluster: Cluster = None,
    output: Form = Output.TABLE,
) -> None:
    """Judge forecasts on your own data: at each step from what was known then, against what came.

    WAPE: error of the median over the load, of all steps ahead and of the next; pinball loss of the
    0.95 quantile over the load; coverage: how often the load was within it.
    """
    from prewire.forecasting import judging

    files = judging.Files(json, plot)
    source = judging.Source(data, step, query, label, since, series)
    result = judging.judged_forecasts(
        judging.counts(source),
        cluster,
        files,
        first=first,
        every=every,
        with_global=with_global,
        seed=seed,
    ).as_json()
    if show.as_data(result, output):
        return
    show.lines(f"{result['series']} series, scored at {result['origins']} steps")
    show.rows(_METHOD_COLUMNS, [_method(name, each) for name, each in result["methods"].items()])
    show.lines(*(f"{name}: not run: {why}" for name, why in result["skipped"].items()))
    show.lines(*result["notes"])


def replay(
    data: Data,
    *,
    arrivals: Annotated[
        bool, typer.Option("--arrivals", help="The file lists arrival times in seconds.")
    ] = False,
    step: Step = "1m",  # type: ignore[assignment]
    query: Query = None,
    label: Label = None,
    since: Since = "1d",  # type: ignore[assignment]
    series: Series = None,
    service_time: Annotated[
        float, time_option(duration, "How long a request takes, as in 500ms.")
    ] = "1s",  # type: ignore[assignment]
    concurrency: Annotated[
        int, typer.Option(min=1, help="Requests a container works at in parallel.")
    ] = 1,
    cold_start: Annotated[float, time_option(duration, "What a container takes to start.")] = "3s",  # type: ignore[assignment]
    programming: Annotated[float, time_option(duration, "Until switches know of it.")] = "0s",  # type: ignore[assignment]
    late: Annotated[float, time_option(duration, "How old the newest metrics are.")] = "0s",  # type: ignore[assignment]
    lost_percent: Annotated[
        float, typer.Option(min=0, max=100, help="Of scrapes, how many fail.")
    ] = 0.0,
    score_from: Annotated[
        float,
        typer.Option(
            "--score-from", parser=long_seconds, metavar="TIME", help="What is before only teaches."
        ),
    ] = "0s",  # type: ignore[assignment]
    max_containers: Annotated[int, typer.Option(min=1, help="Of a service, at most.")] = 10_000,
    policy: Annotated[
        list[str] | None, typer.Option(help="One to replay; repeatable. [default: all]")
    ] = None,
    workers: Annotated[
        int | None, typer.Option(min=0, help="Local processes. [default: one a core]")
    ] = None,
    seed: Seed = 1,
    json: Json = None,
    plot: Plot = None,
    cluster: Cluster = None,
    output: Form = Output.TABLE,
) -> None:
    """Judge policies on your own data: requests that waited for a container, against what it cost.

    Each policy with several settings; cost: container-seconds over those of an oracle that knows
    the load ahead. Intervals of 90 % by block bootstrap.
    """
    from predictor.replay.simulator import Setting
    from prewire.forecasting import judging

    files = judging.Files(json, plot)
    source = judging.Source(data, step, query, label, since, series)
    loads, seconds = judging.workloads(
        source, are_arrivals=arrivals, service_s=service_time, seed=seed
    )
    setting = Setting(
        seconds,
        concurrency,
        cold_start,
        programming,
        late_s=late,
        lost=lost_percent / 100,
        score_from_s=score_from,
        max_containers=max_containers,
        seed=seed,
    )
    families = policy or judging.POLICIES
    result = judging.judged_policies(
        loads, setting, families, cluster, files, workers=workers, seed=seed
    )
    if show.as_data(result.as_json(), output):
        return
    show.lines(
        f"{result.services} services, {result.requests} requests in {show_duration(seconds)}; the "
        f"oracle needs {result.oracle_container_seconds:.0f} container-seconds"
    )
    show.rows(_POINT_COLUMNS, [_point(each) for each in result.points])


def _method(name: str, found: Any) -> dict[str, Any]:
    """A method's figures as people read them."""
    coverage = found.get("coverage", {})
    return {
        "method": name,
        "coverage_95": _figure(coverage.get("0.95")),
        **{key: _figure(found.get(key)) for key in ("wape", "wape_h1", "pinball_95")},
        "ms_per_series": _figure(found.get("ms_per_series")),
    }


def _point(point: Point) -> dict[str, Any]:
    """One setting of a policy as people read it."""
    queued, cost = point.queued, point.cost
    return {
        "policy": point.policy,
        "setting": point.setting,
        "queued": _figure(queued.value),
        "queued_interval": f"{_figure(queued.low)} to {_figure(queued.high)}",
        "cost": _figure(cost.value),
        "cost_interval": f"{_figure(cost.low)} to {_figure(cost.high)}",
        "waited_s": f"{_figure(point.waited_s)} s",
    }


def _figure(value: float | None) -> str:
    return "" if value is None else f"{value:.3g}"
