"""`prewire get` and `prewire delete`: objects of any kind, through the REST server."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any, Final

import typer

from prewire.commands import show
from prewire.commands.client import Client
from prewire.commands.command_options import Api, Form, Wait, client, waiting
from prewire.commands.finding import objects, only
from prewire.commands.kinds import KINDS, Kind, Object, kind_called
from prewire.commands.show import Output

_ALL: Final = "all"

KindWord = Annotated[
    str, typer.Argument(metavar="KIND", help="What they are, as in services, policy or sw.")
]
Names = Annotated[
    list[str] | None,
    typer.Argument(
        metavar="NAME",
        help="Which, as in web, or web/c1 of a container; web alone: all of that service. "
        "[default: all]",
    ),
]


def add(app: typer.Typer) -> None:
    """Add the commands."""
    app.command()(get)
    app.command()(delete)


def get(
    kind: Annotated[
        str,
        typer.Argument(
            metavar="KIND",
            help="What they are, as in services, policy or sw; several with commas between; "
            "all: everything that apply takes.",
        ),
    ],
    names: Names = None,
    *,
    api: Api = None,
    output: Form = Output.TABLE,
) -> None:
    """Show objects of any kind.

    A line each, or with -o json as REST has them. With -o yaml, of what somebody stated only that:
    a file for `prewire apply -f`; `prewire get all -o yaml` is the whole intent.
    """
    kinds = _kinds(kind)
    if names and len(kinds) > 1:
        raise typer.BadParameter("names are of one kind", param_hint="NAME")
    server = client(api)
    found = [(each, objects(server, each, names or ())) for each in kinds]
    if output is Output.TABLE:
        _as_tables(found, is_asked=kind != _ALL)
    elif output is Output.YAML and all(each.member for each in kinds):
        show.as_yaml(_document(found, named=bool(names)))
    elif len(kinds) > 1:
        show.as_data({each.plural: items for each, items in found}, output)
    else:
        show.as_data(_answer(kinds[0], found[0][1], names or ()), output)


def _kinds(words: str) -> list[Kind]:
    if words == _ALL:
        return [kind for kind in KINDS if kind.member]
    return list(dict.fromkeys(kind_called(word) for word in words.split(",")))


def _as_tables(found: Sequence[tuple[Kind, Sequence[Object]]], *, is_asked: bool) -> None:
    """A table of each kind, under its name where there are several; of `all` those with rows."""
    shown = [(kind, items) for kind, items in found if items or is_asked]
    for number, (kind, items) in enumerate(shown):
        if len(found) > 1:
            show.lines(*([""] if number else []), f"{kind.plural}:")
        if items:
            show.rows(kind.columns, [kind.row(each) for each in items])
        else:
            show.lines(f"there are no {kind.plural}")


def _document(found: Sequence[tuple[Kind, Sequence[Object]]], *, named: bool) -> dict[str, Any]:
    # models of all objects take a while to load; only a document needs them
    from prewire.commands.exporting import document  # noqa: PLC0415

    members: dict[str, Any] = {}
    for kind, items in found:
        members |= document(kind, items, named=named)
    return members


def _answer(kind: Kind, items: Sequence[Object], names: Sequence[str]) -> Any:
    """The object that was asked for by its whole name, or a list."""
    if len(names) == 1 and len(kind.parts_of(names[0])) == len(kind.key):
        return items[0]
    return {"items": list(items)}


def delete(
    kind: KindWord,
    names: Annotated[
        list[str],
        typer.Argument(metavar="NAME", help="Which, as in web, or web/c1 of a container."),
    ],
    *,
    wait: Wait = False,
    api: Api = None,
) -> None:
    """Delete objects. A container drains first; a built-in class is as built in again."""
    meant = kind_called(kind)
    if not meant.deletable:
        kinds = ", ".join(each.plural for each in KINDS if each.deletable)
        raise typer.BadParameter(
            f"{meant.plural} cannot be deleted; what can: {kinds}", param_hint="KIND"
        )
    for name in names:
        if len(meant.parts_of(name)) < len(meant.key):
            several = f"{name!r} names several; give {meant.spelling}"
            raise typer.BadParameter(several, param_hint="NAME")
    server = client(api)
    for name in names:
        _delete(server, meant, name, wait=wait)


def _delete(server: Client, kind: Kind, name: str, *, wait: bool) -> None:
    key = kind.key_of(only(server, kind, name))
    server.call("DELETE", kind.path_of(kind.parts_of(key)), params=waiting(wait))
    show.lines(f"deleted {kind.name} {key}")
