"""Commands on dependencies between services, through the REST server."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Annotated, Any

import typer

from prewire.commands import columns, rows, show
from prewire.commands.command_options import (
    Api,
    Form,
    Wait,
    client,
    given,
    milliseconds,
    time_option,
    waiting,
)
from prewire.commands.show import Output
from prewire.forecasting.options import dependency_path

dependency = typer.Typer(
    no_args_is_help=True, help="Which service's rise precedes another's: learned, pinned, banned."
)


def add(app: typer.Typer) -> None:
    """Add the commands."""
    app.add_typer(dependency, name="dependency")


Parent = Annotated[str, typer.Argument(help="The service that rises first.")]
Child = Annotated[str, typer.Argument(help="The service that follows.")]


@dependency.command("list")
def list_dependencies(
    service: Annotated[
        str | None, typer.Option(help="Those of one service only, as parent or child.")
    ] = None,
    api: Api = None,
    output: Form = Output.TABLE,
) -> None:
    """List dependencies: by how long one precedes the other, and how much that tells."""
    _print(client(api).call("GET", "/v1/dependencies", params=given(service=service)), output)


@dependency.command("graph")
def graph(api: Api = None, output: Form = Output.TABLE) -> None:
    """Show the dependencies that are gone by, as chains of services."""
    found = client(api).call("GET", "/v1/dependencies/graph")
    if show.as_data(found, output):
        return
    show.lines(*(chains(found["edges"]) or ["no dependency is known"]))


@dependency.command("pin")
def pin(
    parent: Parent,
    child: Child,
    *,
    lag: Annotated[
        int | None, time_option(milliseconds, "By how long, as in 4s. [default: as learned]")
    ] = None,
    wait: Wait = False,
    api: Api = None,
    output: Form = Output.TABLE,
) -> None:
    """Say that a rise at one service precedes one at another."""
    _put(api, parent, child, given(verdict="pin", lag_ms=lag), wait=wait, output=output)


@dependency.command("ban")
def ban(
    parent: Parent,
    child: Child,
    *,
    wait: Wait = False,
    api: Api = None,
    output: Form = Output.TABLE,
) -> None:
    """Say that it does not, whatever is learned."""
    _put(api, parent, child, {"verdict": "ban"}, wait=wait, output=output)


@dependency.command("forget")
def forget(parent: Parent, child: Child, *, wait: Wait = False, api: Api = None) -> None:
    """Take back a pin or a ban: go by what is learned again."""
    client(api).call("DELETE", dependency_path(parent, child), params=waiting(wait))


def _put(
    api: str | None, parent: str, child: str, body: Any, *, wait: bool, output: Output
) -> None:
    path = dependency_path(parent, child)
    _print(client(api).call("PUT", path, json=body, params=waiting(wait)), output)


def _print(found: Any, output: Output) -> None:
    if show.as_data(found, output):
        return
    show.rows(columns.DEPENDENCY, [rows.dependency(each) for each in found.get("items", [found])])


# ------------------------------------------------------------------------------- chains


def chains(edges: Sequence[Mapping[str, Any]]) -> list[str]:
    """The graph as lines: each child indented below its parent, from services without a parent on.

    A service that was shown already, as in a circle, is shown again without its children.
    """
    children: dict[str, list[Mapping[str, Any]]] = {}
    for edge in edges:
        children.setdefault(edge["source"], []).append(edge)
    followers = {edge["target"] for edge in edges}
    roots = sorted(name for name in children if name not in followers)
    seen: set[str] = set()
    lines: list[str] = []
    for root in [*roots, *sorted(children)]:
        if root not in seen:
            lines.append(root)
            lines += _below(root, children, seen)
    return lines


def _below(
    root: str, children: Mapping[str, Sequence[Mapping[str, Any]]], seen: set[str]
) -> Iterator[str]:
    """What follows a service, however long the chains are."""
    seen.add(root)
    waiting = [(edge, 1) for edge in _ordered(children, root)]
    while waiting:
        edge, depth = waiting.pop()
        child, lag = edge["target"], rows.lag(edge)
        again = child in seen and child in children
        after = f" after {lag}" if lag else ""
        told = f" ({edge['origin']}{', see above' if again else ''})"
        yield f"{'  ' * depth}-> {child}{after}{told}"
        if not again:
            seen.add(child)
            waiting += [(each, depth + 1) for each in _ordered(children, child)]


def _ordered(
    children: Mapping[str, Sequence[Mapping[str, Any]]], parent: str
) -> list[Mapping[str, Any]]:
    """A service's edges, the last name first, as a stack has them."""
    return sorted(children.get(parent, ()), key=lambda edge: str(edge["target"]), reverse=True)
