"""The command `forecast`: what load is expected, beside what there was."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Any, Final

import typer

from nib.fields import check_name
from nib.rates import show_rate
from nib.times import show_duration, show_instant
from prewire.commands import show
from prewire.commands.command_options import Api, Form, client
from prewire.commands.show import Output
from prewire.forecasting.ahead_commands import Kind
from prewire.forecasting.sparkline import chart

_MOST_STEPS: Final = 1440


def add(app: typer.Typer) -> None:
    """Add the command."""
    app.command()(forecast)


def forecast(
    name: Annotated[str, typer.Argument(help="The service's name, or with --policy a policy's.")],
    *,
    policy: Annotated[
        bool, typer.Option("--policy", help="Of a policy's bit rate, in place of a service's load.")
    ] = False,
    steps: Annotated[
        int, typer.Option(min=1, max=_MOST_STEPS, help="Minutes of the past that are shown.")
    ] = 60,
    api: Api = None,
    output: Form = Output.TABLE,
) -> None:
    """Show the load that is expected, quantile by quantile, beside what was offered."""
    server = client(api)
    kind = Kind.POLICY if policy else Kind.SERVICE
    path, query = check_name("name", name), {"kind": kind.value}
    expected = server.call("GET", f"/v1/forecasts/{path}", params=query)
    past = server.call("GET", f"/v1/series/{path}", params={**query, "steps": str(steps)})
    if show.as_data({"forecast": expected, "series": past}, output):
        return
    show.lines(*_told(expected, past))


def _told(expected: Any, past: Any) -> list[str]:
    """What it is, then the chart."""
    step = show_duration(expected["step_s"])
    ahead = _listed(expected["horizons"])
    stale = ", stale: metrics are missing" if expected["stale"] else ""
    unit = "bits a second" if expected["unit"] == "bps" else expected["unit"]
    return [
        f"{expected['kind']} {expected['name']}: {unit}, in steps of {step}; "
        f"forecast of {show_instant(expected['made_ms'])} by {expected['model']}{stale}",
        *chart(past["values"], expected["quantiles"], expected["values"], said=_said(expected)),
        f"steps ahead: {ahead}",
    ]


def _listed(steps: list[int]) -> str:
    """As in "1 to 10", or "1, 5, 10"."""
    if len(steps) > 1 and steps == list(range(steps[0], steps[-1] + 1)):
        return f"{steps[0]} to {steps[-1]}"
    return ", ".join(map(str, steps))


def _said(expected: Any) -> Callable[[float], str]:
    """How its values are written for people."""
    return show_rate if expected["unit"] == "bps" else "{:.3g}".format
