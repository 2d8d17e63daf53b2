"""Commands on what predictors decide: plans, prewarm requests, who minds what."""

from __future__ import annotations

from typing import Annotated, Any, Final
from urllib.parse import quote

import typer

from nib.fields import check_text
from prewire.commands import columns, rows, show
from prewire.commands.command_options import Api, Form, client, given, print_kind
from prewire.commands.kinds import kind_called
from prewire.commands.rows import UNKNOWN_RATES, rate_or
from prewire.commands.show import Output
from prewire.forecasting.options import rate_reason

_CONTAINER_COLUMNS: Final = {
    "SERVICE": "service",
    "PLANNED": "containers",
    "PRESENT": "present",
    "READY": "ready",
    "BY": "source",
    "FROM": "from",
    "UNTIL": "until",
    "STALE": "stale",
    "REASON": "reason",
}
_RATE_COLUMNS: Final = {
    "POLICY": "policy",
    "MAX": "max_bps",
    "GUARANTEE": "guaranteed_bps",
    "MAX IN FORCE": "max_in_force",
    "GUARANTEE IN FORCE": "guarantee_in_force",
    "BY": "source",
    "FROM": "from",
    "UNTIL": "until",
    "STALE": "stale",
    "REASON": "reason",
}

prewarm = typer.Typer(no_args_is_help=True, help="Requests that containers be started.")


def add(app: typer.Typer) -> None:
    """Add the commands."""
    app.command()(plans)
    app.add_typer(prewarm, name="prewarm")
    app.command()(predictors)


def plans(api: Api = None, output: Form = Output.TABLE) -> None:
    """Show all plans: containers of services and rates of policies, and what they have."""
    found = client(api).call("GET", "/v1/plans")
    if show.as_data(found, output):
        return
    if not found["services"] and not found["policies"]:
        show.lines("nothing is planned: `prewire scaling set` has a service follow its load")
    if found["services"]:
        show.rows(_CONTAINER_COLUMNS, [_times(each) for each in found["services"]])
    if found["services"] and found["policies"]:
        show.lines("")
    if found["policies"]:
        show.rows(_RATE_COLUMNS, [_rates(each) for each in found["policies"]])


def _times(plan: Any) -> dict[str, Any]:
    return {**plan, **rows.held(plan)}


def _rates(plan: Any) -> dict[str, Any]:
    in_force = plan["in_force"] or UNKNOWN_RATES
    return _times(plan) | {
        "max_bps": rate_or(plan["max_bps"], ""),
        "guaranteed_bps": rate_or(plan["guaranteed_bps"], ""),
        "max_in_force": rate_or(in_force["max_bps"], "no limit"),
        "guarantee_in_force": rate_or(in_force["guaranteed_bps"], ""),
        "reason": rate_reason(plan),
    }


# ------------------------------------------------------------------------------- requests


@prewarm.command("list")
def list_requests(
    service: Annotated[str | None, typer.Option(help="Those of one service only.")] = None,
    state: Annotated[
        str | None, typer.Option(help="requested, accepted, ready or expired. [default: all]")
    ] = None,
    api: Api = None,
    output: Form = Output.TABLE,
) -> None:
    """List requests that containers be started, the newest first."""
    query = given(service=service, state=state)
    _print(client(api).call("GET", "/v1/prewarm-requests", params=query), output)


@prewarm.command("accept")
def accept(
    request: Annotated[str, typer.Argument(help="The request's id.")],
    by: Annotated[str, typer.Option(help="Who starts the containers.")],
    api: Api = None,
    output: Form = Output.TABLE,
) -> None:
    """Say that one is seeing to a request; others leave it alone then."""
    path = f"/v1/prewarm-requests/{quote(check_text('request', request, 63), safe='')}/accept"
    _print(client(api).call("POST", path, json={"by": by}), output)


def _print(found: Any, output: Output) -> None:
    if show.as_data(found, output):
        return
    show.rows(columns.REQUEST, [rows.request(each) for each in found.get("items", [found])])


# ------------------------------------------------------------------------------- predictors


def predictors(api: Api = None, output: Form = Output.TABLE) -> None:
    """Show the predictors that run, and what each minds."""
    print_kind(kind_called("predictor"), client(api).call("GET", "/v1/predictors"), output)
