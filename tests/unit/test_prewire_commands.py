"""The command line itself: help for everything, wrong usage, the version."""

from __future__ import annotations

from functools import cache
from typing import Any

import pytest
import typer
from typer.main import get_command

from prewire import __version__
from prewire.commands.tree import COMMANDS, app, app_for
from tests.commands import run_here


@cache
def all_commands() -> dict[tuple[str, ...], Any]:
    """Every command and group of commands by its words."""
    found: dict[tuple[str, ...], Any] = {}
    waiting: list[tuple[tuple[str, ...], Any]] = [((), get_command(app()))]
    while waiting:
        words, command = waiting.pop()
        found[words] = command
        below = getattr(command, "commands", {})
        waiting += [((*words, name), each) for name, each in below.items()]
    return found


def test_there_are_all_commands() -> None:
    wanted = {
        ("up",), ("controller",), ("api",), ("node",), ("demo",),
        ("status",), ("diff",), ("explain",),
        ("service", "set"), ("service", "list"), ("service", "show"), ("service", "delete"),
        ("container", "set"), ("container", "list"), ("container", "show"),
        ("service", "slots"), ("container", "report"), ("container", "renew"),
        ("container", "delete"), ("db", "init"), ("db", "convert"), ("db", "backup"),
        ("db", "serve"), ("db", "cluster", "create"), ("db", "cluster", "join"), ("tls", "init"),
        ("links",), ("hosts",), ("host", "forget"), ("topology",), ("adopt",),
        ("switch", "list"), ("switch", "forget"), ("apply",), ("plan",), ("bandwidth",),
        ("policy", "set"), ("policy", "list"), ("policy", "show"), ("policy", "delete"),
        ("class", "set"), ("class", "list"), ("class", "delete"), ("link-rate", "set"),
        ("link-rate", "list"), ("link-rate", "delete"),
        ("scaling", "set"), ("scaling", "list"), ("scaling", "show"), ("scaling", "delete"),
        ("provisioning", "set"), ("provisioning", "list"), ("provisioning", "show"),
        ("provisioning", "delete"), ("schedule", "set"), ("schedule", "list"),
        ("schedule", "show"), ("schedule", "delete"), ("override", "set"), ("override", "list"),
        ("override", "show"), ("override", "delete"), ("dependency", "list"),
        ("dependency", "graph"), ("dependency", "pin"), ("dependency", "ban"),
        ("dependency", "forget"), ("plans",), ("prewarm", "list"), ("prewarm", "accept"),
        ("predictors",), ("forecast",), ("backtest",), ("replay",), ("get",), ("delete",),
        ("wait",), ("watch",), ("trace",), ("support-bundle",), ("completion",),
    }  # fmt: skip
    assert wanted <= set(all_commands())


@pytest.mark.parametrize("words", list(all_commands()), ids=" ".join)
def test_every_command_has_help(words: tuple[str, ...]) -> None:
    done = run_here(*words, "--help")
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.lstrip().startswith("Usage: prewire")
    unexplained = [each.name for each in all_commands()[words].params if not each.help]
    assert unexplained == []


@pytest.mark.parametrize(
    "words",
    [
        ("fly",),
        ("status", "--fly"),
        ("status", "-o", "xml"),
        ("service", "set", "web"),
        ("service", "set", "web", "--vip", "10.0.0.1", "--port", "many"),
        ("container", "delete", "web", "c1", "--drain", "soon"),
        ("container", "delete", "web", "c1", "--drain", "-5"),
        (
            "container",
            "set",
            "web",
            "c1",
            "--address",
            "10.0.0.1",
            "--port",
            "1",
            "--lease",
            "1.5s",
        ),
        ("container", "report", "web", "c1", "--inflight", "many"),
        ("service", "set", "web", "--vip", "10.0.0.1", "--port", "1", "--extra-port", "80"),
        ("service", "set", "web", "--vip", "10.0.0.1", "--port", "1", "--health-rise", "2"),
        ("service", "set", "web", "--vip", "10.0.0.1", "--port", "1", "--canary-percent", "2"),
        ("service", "set", "web", "--vip", "10.0.0.1", "--port", "1", "--eject-time", "2s"),
        (
            "service",
            "set",
            "web",
            "--vip",
            "10.0.0.1",
            "--port",
            "1",
            "--health",
            "http",
            "--health-status",
            "ok",
        ),
        ("explain",),
    ],
)
def test_wrong_usage_is_exit_code_2_and_names_the_remedy(words: tuple[str, ...]) -> None:
    done = run_here(*words)
    assert done.returncode == 2
    assert "Traceback" not in done.stderr
    assert "--help" in done.stderr


def commands_of(made: typer.Typer) -> set[str]:
    """The names of its commands."""
    command: Any = get_command(made)
    return set(command.commands)


@pytest.mark.parametrize(
    ("words", "loaded"),
    [
        (("status", "-o", "json"), {"switch", "status", "diff"}),
        (("--token", "get", "doctor"), {"doctor"}),
        (("--version",), {"completion"}),
        (("nope",), set(COMMANDS)),
        (("--help",), set(COMMANDS)),
    ],
)
def test_a_command_loads_its_own_module_only(words: tuple[str, ...], loaded: set[str]) -> None:
    assert commands_of(app_for(words)) == loaded


def test_every_command_is_in_the_module_that_is_named() -> None:
    for name, module in COMMANDS.items():
        assert name in commands_of(app(module)), name


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_shells_get_a_script_that_asks_for_words(shell: str) -> None:
    assert "prewire --complete" in run_here("completion", shell).stdout


def test_a_word_that_is_nearly_a_command_is_answered_with_it() -> None:
    assert "Did you mean 'service'?" in run_here("srvice", "list").stderr


def test_version() -> None:
    assert run_here("--version").stdout == f"prewire {__version__}\n"
