"""The command `prewire`.

Processes (`up`, `controller`, `api`), the database (`db`), and everything else through the REST
server. Exit codes: 0 done; 1 refused or failed, with one line on standard error; 2 wrong usage;
3 `diff` or `plan` found differences, or `doctor` faults.
"""

from __future__ import annotations

import sys
from typing import Annotated, Final

import typer

from nib.errors import NibError, NibUnavailable
from prewire import (
    __version__,
    db_commands,
    doctor_commands,
    object_commands,
    process_commands,
    show,
    tls_commands,
)
from prewire.errors import CommandFailed
from topologies.errors import NetworkError

# What ends a command with one line; anything else is a defect and shows its traceback.
_EXPECTED: Final = (CommandFailed, NibError, NetworkError)

app = typer.Typer(
    name="prewire",
    help="Network control plane for serverless container platforms.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)
process_commands.add(app)
object_commands.add(app)
app.command()(doctor_commands.doctor)
app.add_typer(db_commands.app, name="db")
app.add_typer(tls_commands.app, name="tls")


def _version(wanted: bool) -> None:
    if wanted:
        show.lines(f"prewire {__version__}")
        raise typer.Exit


@app.callback()
def _options(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Show the version.")
    ] = False,
) -> None:
    """Options before the command."""


def main() -> None:
    """Run the command line; an expected failure is one line and exit code 1."""
    try:
        app(prog_name="prewire")
    except NibUnavailable as error:
        show.complain(f"{error}; {error.remedy}")
        sys.exit(1)
    except _EXPECTED as error:
        show.complain(str(error))
        sys.exit(1)
    except OSError as error:
        if error.filename is None:
            raise
        show.complain(f"{error.filename}: {error.strerror}; correct the path or its permissions")
        sys.exit(1)
