"""`prewire db`: the database's file, offline or online."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from prewire import settings, show

# The database library takes half a second to load; only these commands wait for it.
# ruff: noqa: PLC0415

app = typer.Typer(no_args_is_help=True, help="The NIB's database file.")

File = Annotated[
    Path | None, typer.Argument(help="The database file. [default: nib.db in state_dir]")
]


def _file(given: Path | None) -> Path:
    return given or settings.load().state_dir / "nib.db"


@app.command()
def init(file: File = None) -> None:
    """Create an empty database of this version's schema."""
    from nib import server

    path = _file(file)
    path.parent.mkdir(parents=True, exist_ok=True)
    server.init(path)
    show.lines(f"created {path}, schema {server.schema_version(path)}")


@app.command()
def convert(
    file: File = None,
    *,
    backup: Annotated[bool, typer.Option(help="Copy the file first.")] = True,
) -> None:
    """Bring a database of an older schema to this version's; its server must be stopped."""
    from nib import server

    path = _file(file)
    done = server.convert(path, backup=backup)
    show.lines(f"converted {path} from schema {done.old} to {done.new}")
    if done.backup:
        show.lines(f"the old database is {done.backup}")


@app.command("backup")
def back_up(
    target: Annotated[Path, typer.Argument(help="The file to write; must not exist.")],
    source: Annotated[
        str | None, typer.Option(help="A database file or remote. [default: the setting nib]")
    ] = None,
) -> None:
    """Copy the database, from a running server or from its file."""
    from nib import server

    given = settings.load()
    server.backup(source or given.nib_remote, target)
    show.lines(f"wrote {target}")
