"""`prewire db cluster`: make its servers' databases, look at it, change who belongs to it, try it.

Each command but `try` is about the server of this machine, in its state_dir.
"""

from __future__ import annotations

import signal
import threading
import time
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import typer

from nib.errors import ServerError
from nib.tls import check_method
from prewire import processes, settings
from prewire.commands import progress, show
from prewire.commands.command_options import Form
from prewire.commands.show import Output

if TYPE_CHECKING:
    from nib.cluster import ClusterServer, EmbeddedCluster
    from nib.serving import ServerFiles

# The database library takes half a second to load; only these commands wait for it.
# ruff: noqa: PLC0415

cluster = typer.Typer(no_args_is_help=True, help="A cluster of three or five database servers.")

_LEAVE_SECONDS: Final = 30.0
_PACE_SECONDS: Final = 0.1
_RESTART_SECONDS: Final = 10.0

StateDir = Annotated[
    Path | None,
    typer.Option("--state-dir", help="Where the server keeps its files. [default: the setting]"),
]
Address = Annotated[
    str, typer.Argument(help="Where this server listens for the others, as in tcp:10.0.0.1:6644.")
]

_COLUMNS: Final = {
    "SERVER": "id",
    "ADDRESS": "address",
    "HERE": "here",
    "HAS LOG TO": "matched",
    "HEARD MS AGO": "heard_ms",
}


def state_directory(given: Path | None) -> Path:
    """The directory that is meant, absolute."""
    return (given or settings.load().state_dir).absolute()


def _files(given: Path | None) -> ServerFiles:
    from nib.serving import ServerFiles

    return ServerFiles(state_directory(given))


@cluster.command()
def create(
    address: Address,
    contents: Annotated[
        Path | None,
        typer.Option(help="A database file to begin with. [default: an empty database]"),
    ] = None,
    state_dir: StateDir = None,
) -> None:
    """Make the database of a new cluster's first server."""
    from nib import raft

    path = _files(state_dir).database
    _check_encrypted(address)
    raft.create(path, address, contents)
    show.lines(
        f"created {path}, of the first server of a cluster; "
        "start it with `prewire db serve`, then let the others join"
    )


@cluster.command()
def join(
    address: Address,
    members: Annotated[
        list[str], typer.Argument(help="Where one or more servers of the cluster listen for it.")
    ],
    state_dir: StateDir = None,
) -> None:
    """Make the database of a further server; when it is started, it asks to be let in."""
    from nib import raft

    path = _files(state_dir).database
    _check_encrypted(address, *members)
    raft.join(path, address, members)
    show.lines(f"created {path}; start it with `prewire db serve`")


def _check_encrypted(*addresses: str) -> None:
    """Raise FieldError where TLS is on and an address without it, or the other way round."""
    certificates = settings.load().tls_files
    for each in addresses:
        check_method("address", each, certificates)


@cluster.command()
def status(state_dir: StateDir = None, output: Form = Output.TABLE) -> None:
    """What the server of this machine says of its cluster."""
    from nib import raft

    found = raft.status(_files(state_dir).control)
    told = asdict(found)
    if show.as_data(told, output):
        return
    first, following = found.log
    leads = "leader" if found.leads else f"{found.role}, the leader is {found.leader}"
    show.lines(
        f"server {found.id} at {found.address}: {found.state}, {leads}",
        f"term {found.term}, log {first} to {following - 1}, {found.uncommitted} not committed, "
        f"election timer {found.election_timer_ms} ms",
    )
    show.rows(_COLUMNS, told["members"])


@cluster.command()
def leave(state_dir: StateDir = None) -> None:
    """Have the server of this machine leave the cluster for ever."""
    from nib import raft

    control = _files(state_dir).control
    raft.leave(control)
    deadline = time.monotonic() + _LEAVE_SECONDS
    never = threading.Event()
    with progress.busy("leaving"):
        while not raft.has_left(control):
            if time.monotonic() > deadline:
                raise ServerError(
                    f"the server has not left within {_LEAVE_SECONDS:g} s",
                    "see `prewire db cluster status`: more than half of the servers must run",
                )
            never.wait(_PACE_SECONDS)
    show.lines("the server left the cluster; end it, and delete its database")


@cluster.command()
def remove(
    server: Annotated[str, typer.Argument(help="Its id or address, as `status` shows them.")],
    state_dir: StateDir = None,
) -> None:
    """Have the cluster do without a server that will not come back."""
    from nib import raft

    control = _files(state_dir).control
    known = {name for each in raft.status(control).members for name in (each.id, each.address)}
    if server not in known:
        raise ServerError(f"the cluster has no server {server}", "see `prewire db cluster status`")
    raft.remove(control, server)
    show.lines(f"removed {server}")


@cluster.command("try")
def try_out(
    directory: Annotated[
        Path | None, typer.Argument(help="For their files. [default: cluster in state_dir]")
    ] = None,
    servers: Annotated[int, typer.Option(min=1, max=7, help="How many.")] = 3,
) -> None:
    """Run a cluster on this machine until interrupted, to see what it does when servers die. One
    that ends is started anew after ten seconds."""
    from nib.cluster import EmbeddedCluster

    place = directory or settings.load().state_dir / "cluster"
    ending = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: ending.set())
    with EmbeddedCluster(place, processes.tied(), servers) as running:
        show.lines(f"PREWIRE_NIB={running.remote}")
        for each in running.servers:
            _show_server(each)
        _keep_alive(running, ending)


def _keep_alive(running: EmbeddedCluster, ending: threading.Event) -> None:
    due: dict[ClusterServer, float] = {}
    while not ending.wait(_PACE_SECONDS):
        for server in running.servers:
            if server in due:
                if time.monotonic() >= due[server]:
                    del due[server]
                    server.start()
                    _show_server(server)
            elif server.process is not None and server.process.poll() is not None:
                show.lines(f"{server.name} ended with status {server.process.poll()}")
                server.stop()
                due[server] = time.monotonic() + _RESTART_SECONDS


def _show_server(server: ClusterServer) -> None:
    show.lines(f"{server.name}: process {server.pid}, state_dir {server.files.directory}")
