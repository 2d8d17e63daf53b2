"""What the commands of the predictor share: options, paths, and how values read.

Must not know: which commands there are.
"""

from __future__ import annotations

from typing import Annotated, Any, Final

import typer

from nib.fields import check_name
from nib.times import read_duration, show_instant
from prewire.commands import show
from prewire.commands.command_options import service_path
from prewire.commands.policy_commands import policy_path
from prewire.commands.rows import rate_or

_LOWEST: Final = 0.5
_HIGHEST: Final = 0.999

ServiceName = Annotated[str, typer.Argument(help="The service's name.")]
PolicyName = Annotated[str, typer.Argument(help="The policy's name.")]


def scaling_path(service: str) -> str:
    """The path of a service's scaling. FieldError for what is no name."""
    return f"{service_path(service)}/scaling"


def provisioning_path(policy: str) -> str:
    """The path of a policy's provisioning. FieldError likewise."""
    return f"{policy_path(policy)}/provisioning"


def schedule_path(name: str) -> str:
    """A schedule's path. FieldError likewise."""
    return f"/v1/schedules/{check_name('name', name)}"


def override_path(kind: str, name: str) -> str:
    """The path of what an operator says of a service or policy. FieldError likewise."""
    return f"/v1/overrides/{kind}/{check_name('name', name)}"


def dependency_path(parent: str, child: str) -> str:
    """The path of a dependency. FieldError likewise."""
    return f"/v1/dependencies/{check_name('parent', parent)}/{check_name('child', child)}"


def permille(text: str) -> int:
    """A quantile from text as in 0.99, per mille; wrong usage for other text."""
    try:
        quantile = float(text)
    except ValueError:
        raise typer.BadParameter(f"{text!r} is no quantile; write it as in 0.99") from None
    if not _LOWEST <= quantile <= _HIGHEST:
        raise typer.BadParameter(f"{text} is out of range; give {_LOWEST} to {_HIGHEST}")
    return round(quantile * 1000)


def long_seconds(text: str) -> int:
    """Whole seconds from text as in 90s, 8h or 7d; wrong usage for other text."""
    try:
        seconds = read_duration(text)
    except ValueError as error:
        raise typer.BadParameter(f"{error}; write it as in 90s, 8h or 7d") from None
    if seconds != int(seconds):
        raise typer.BadParameter(f"{seconds:g} s is no whole number of seconds")
    return int(seconds)


def quantile_option(meaning: str) -> Any:
    """An option that takes a quantile."""
    return typer.Option("--quantile", parser=permille, metavar="QUANTILE", help=meaning)


def scaling_line(found: Any) -> str:
    """How a service scales, as in "plan, 0 to 20 containers of 4 requests each, 70 % full"."""
    requests = f"{found['concurrency']} request{'' if found['concurrency'] == 1 else 's'}"
    return (
        f"{found['mode']}, {found['min_containers']} to {found['max_containers']} containers of "
        f"{requests} each, {found['target_percent']} % full"
    )


def plan_line(plan: Any) -> str:
    """A service's plan in a line, as in "5 by forecast until 2026-11-22T18:30:00Z"."""
    return "none yet" if plan is None else _line(plan, str(plan["containers"]), plan["reason"])


def rate_plan_line(plan: Any) -> str:
    """A policy's plan in a line, as in "max 80M by forecast until 2026-11-22T18:30:00Z"."""
    if plan is None:
        return "none yet"
    rates = ", ".join(
        f"{word} {rate_or(plan[key], '')}"
        for word, key in (("max", "max_bps"), ("guarantee", "guaranteed_bps"))
        if plan[key] is not None
    )
    return _line(plan, rates or "as the policy", rate_reason(plan))


def rate_reason(plan: Any) -> str:
    """Why a policy's plan is so, and why it is not what the forecast asks for."""
    return "; ".join(each for each in (plan["reason"], plan["refused"]) if each)


def _line(plan: Any, decided: str, reason: str) -> str:
    marks = [
        word for word, shown in (("stale", plan["stale"]), ("over", not plan["valid"])) if shown
    ]
    mark = f" ({', '.join(marks)})" if marks else ""
    until = show_instant(plan["until_ms"])
    return f"{decided} by {plan['source']} until {until}{mark}" + (f": {reason}" if reason else "")


def details(found: Any, keys: tuple[str, ...]) -> None:
    """What is set, a line each."""
    show.lines(*(f"{key:18} {found[key]}" for key in keys if found[key] not in (None, "")))
