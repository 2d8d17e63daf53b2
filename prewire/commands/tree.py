"""Which commands there are, and the module of each.

A command's module is imported when the command is run, not before: the start of one does not wait
for what others need. Help and the documentation build all.
Must not know: what a command does.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cache
from importlib import import_module
from typing import Annotated, Final

import typer

from prewire import __version__
from prewire.commands import show
from prewire.commands.credentials import GIVEN

# Each module has a function add(app), which may add several of these. In the order of --help.
COMMANDS: Final[Mapping[str, str]] = {
    "up": "prewire.commands.process_commands",
    "controller": "prewire.commands.process_commands",
    "api": "prewire.commands.process_commands",
    "predictor": "prewire.commands.process_commands",
    "node": "prewire.commands.process_commands",
    "demo": "prewire.commands.process_commands",
    "get": "prewire.commands.get_commands",
    "delete": "prewire.commands.get_commands",
    "wait": "prewire.commands.wait_commands",
    "watch": "prewire.commands.watch_commands",
    "apply": "prewire.commands.apply_commands",
    "plan": "prewire.commands.apply_commands",
    "service": "prewire.commands.service_commands",
    "container": "prewire.commands.container_commands",
    "class": "prewire.commands.class_commands",
    "policy": "prewire.commands.policy_commands",
    "link-rate": "prewire.commands.bandwidth_commands",
    "bandwidth": "prewire.commands.bandwidth_commands",
    "switch": "prewire.commands.switch_commands",
    "status": "prewire.commands.switch_commands",
    "diff": "prewire.commands.switch_commands",
    "links": "prewire.commands.fabric_commands",
    "host": "prewire.commands.fabric_commands",
    "hosts": "prewire.commands.fabric_commands",
    "topology": "prewire.commands.fabric_commands",
    "adopt": "prewire.commands.fabric_commands",
    "scaling": "prewire.forecasting.scaling_commands",
    "provisioning": "prewire.forecasting.scaling_commands",
    "schedule": "prewire.forecasting.ahead_commands",
    "override": "prewire.forecasting.ahead_commands",
    "dependency": "prewire.forecasting.dependency_commands",
    "plans": "prewire.forecasting.plan_commands",
    "prewarm": "prewire.forecasting.plan_commands",
    "predictors": "prewire.forecasting.plan_commands",
    "forecast": "prewire.forecasting.forecast_commands",
    "backtest": "prewire.forecasting.replay_commands",
    "replay": "prewire.forecasting.replay_commands",
    "explain": "prewire.commands.explain_commands",
    "trace": "prewire.commands.trace_commands",
    "top": "prewire.commands.top_commands",
    "doctor": "prewire.commands.doctor_commands",
    "support-bundle": "prewire.commands.bundle_commands",
    "token": "prewire.commands.token_commands",
    "db": "prewire.commands.db_commands",
    "tls": "prewire.commands.tls_commands",
    "completion": "prewire.commands.completion_commands",
}


def app_for(words: Sequence[str]) -> typer.Typer:
    """The command line that these words are for: with the one command they name, or with all."""
    if list(words) == ["--version"]:
        return app(COMMANDS["completion"])  # of all modules the one that loads least
    left = iter(words)
    for word in left:
        if word == "--token":
            next(left, None)
        elif not word.startswith("-"):
            return app(COMMANDS.get(word, ""))
    return app()


@cache
def app(module: str = "") -> typer.Typer:
    """The whole command line, or with the commands of one module."""
    made = typer.Typer(
        name="prewire",
        help="Network control plane for serverless container platforms.",
        no_args_is_help=True,
        pretty_exceptions_enable=False,
        rich_markup_mode=None,
        add_completion=False,
    )
    made.callback()(_options)
    for each in [module] if module else dict.fromkeys(COMMANDS.values()):
        import_module(each).add(made)
    return made


def _version(wanted: bool) -> None:
    if wanted:
        show.lines(f"prewire {__version__}")
        raise typer.Exit


def _options(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Show the version.")
    ] = False,
    token: Annotated[
        str | None,
        typer.Option("--token", help="The token to send; PREWIRE_TOKEN shows it to nobody."),
    ] = None,
) -> None:
    """Options before the command."""
    del version  # its callback has shown it
    GIVEN.set(token)
