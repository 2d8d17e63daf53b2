"""`prewire db`: the database's file, offline or online, and its server."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Annotated, Final

import typer

from nib.errors import FieldError
from nib.tls import check_method, server_options
from prewire import settings
from prewire.commands import progress, show
from prewire.commands.cluster_commands import StateDir, cluster, state_directory
from prewire.processes import tied

# The database library takes half a second to load; only these commands wait for it.
# ruff: noqa: PLC0415

group = typer.Typer(no_args_is_help=True, help="The NIB's database and its servers.")
group.add_typer(cluster, name="cluster")


def add(app: typer.Typer) -> None:
    """Add the commands."""
    app.add_typer(group, name="db")


_LISTEN: Final = re.compile(r"(ptcp|pssl):([0-9]{1,5})(:(\[[0-9a-fA-F:.]+\]|[0-9.]+))?|punix:\S+")

File = Annotated[
    Path | None, typer.Argument(help="The database file. [default: nib.db in state_dir]")
]


def _file(given: Path | None) -> Path:
    return given or settings.load().state_dir / "nib.db"


@group.command()
def init(file: File = None) -> None:
    """Create an empty database of this version's schema."""
    from nib import dbfile

    path = _file(file)
    path.parent.mkdir(parents=True, exist_ok=True)
    dbfile.init(path)
    show.lines(f"created {path}, schema {dbfile.schema_version(path)}")


@group.command()
def convert(
    file: Annotated[
        str | None,
        typer.Argument(
            metavar="FILE|REMOTE",
            help="The database file, or the remote of servers that run. "
            "[default: nib.db in state_dir]",
        ),
    ] = None,
    *,
    backup: Annotated[bool, typer.Option(help="Copy the file first.")] = True,
) -> None:
    """Bring a database of an older schema to this version's: a file that nobody serves, or a
    running server or cluster, whose clients stay connected; of that no copy is made."""
    from nib import dbfile

    if file is not None and dbfile.is_remote(file):
        _use_certificates()
        with progress.busy(f"converting {file}"):
            done = dbfile.convert_served(file)
    else:
        path = _file(None if file is None else Path(file))
        file = str(path)
        with progress.busy(f"converting {file}"):
            done = dbfile.convert(path, backup=backup)
    show.lines(f"converted {file} from schema {done.old} to {done.new}")
    if done.backup:
        show.lines(f"the old database is {done.backup}")


@group.command("backup")
def back_up(
    target: Annotated[Path, typer.Argument(help="The file to write; must not exist.")],
    source: Annotated[
        str | None, typer.Option(help="A database file or remote. [default: the setting nib]")
    ] = None,
) -> None:
    """Copy the database, from a running server or cluster or from its file."""
    from nib import dbfile

    given = settings.load()
    _use_certificates()
    with progress.busy(f"writing {target}"):
        dbfile.backup(source or given.nib_remote, target)
    show.lines(f"wrote {target}")


@group.command()
def serve(
    listen: Annotated[
        list[str] | None,
        typer.Option(
            help="Where to listen besides nib.sock in state_dir, as in ptcp:6641:10.0.0.1; "
            "may be given again. [default: nowhere]"
        ),
    ] = None,
    state_dir: StateDir = None,
) -> None:
    """Serve the database in state_dir until interrupted; for a service manager. The process becomes
    ovsdb-server. A cluster's member that has failed for good, or whose disk is as good as full, is
    ended, to be started anew."""
    from nib import dbfile, failing, serving
    from nib.handshake import check_version

    certificates = settings.load().tls_files
    for remote in listen or ():
        _check_listen(remote)
        check_method("listen", remote, certificates)
    files = serving.ServerFiles(state_directory(state_dir))
    serving.check_socket_path(files.socket, "choose a shorter state_dir")
    is_member = dbfile.is_clustered(files.database)
    if not is_member:
        check_version(dbfile.schema_version(files.database))
    if certificates is not None:
        certificates.check()
    options = [] if certificates is None else server_options(certificates)
    serving.refuse_second(files)
    command = serving.server_command(files, listen or (), [*options, "-vsyslog:off"])
    if is_member:
        failing.check_room(files.directory)
        watcher = [*tied(), sys.executable, "-m", "nib.failing", str(files.control)]
        subprocess.Popen([*watcher, str(os.getpid())], stdin=subprocess.DEVNULL)
    os.execv(command[0], command)  # noqa: S606 - it replaces this process


def _check_listen(remote: str) -> None:
    match = _LISTEN.fullmatch(remote)
    if match is None or (match[2] and not 1 <= int(match[2]) <= 65535):
        raise FieldError(
            "listen",
            f"{remote!r} is nothing to listen on",
            "give ptcp:PORT:ADDRESS, pssl:PORT:ADDRESS or punix:PATH",
        )


def _use_certificates() -> None:
    """Have ovsdb-client use those of the settings; FieldError where they do not fit the remote."""
    from nib import tls

    given = settings.load()
    tls.begin(given.tls, given.nib, given.switch_db or "")
