"""`prewire support-bundle`: what is known of this installation in one file, without its secrets."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any, Final
from urllib.parse import urlsplit

import typer

from nib import tls
from nib.times import show_instant
from prewire import settings
from prewire.commands import progress, show
from prewire.commands.command_options import Api, Form, client
from prewire.commands.credentials import ADMIN_FILE, GIVEN, TOKEN, TOKEN_FILE
from prewire.commands.show import Output
from prewire.settings import Settings

# What a bundle asks loads much; `--help` does without.
# ruff: noqa: PLC0415

_SHOWN: Final = 5  # of what could not be had


def add(app: typer.Typer) -> None:
    """Add the command."""
    app.command("support-bundle")(support_bundle)


def support_bundle(
    target: Annotated[
        Path | None,
        typer.Argument(
            metavar="FILE",
            help="The .tar.gz to write; must not exist. [default: prewire-support-…]",
        ),
    ] = None,
    *,
    log: Annotated[
        list[Path] | None, typer.Option(help="A further log to put in; may be given again.")
    ] = None,
    api: Api = None,
    output: Form = Output.TABLE,
) -> None:
    """Write a file for support, without secrets.

    It has versions, settings, status, all intent, events, metrics, logs, what doctor finds, and the
    flows of this machine's switches; tokens, keys and passwords are taken out. Run it as root on
    each host with switches.
    """
    from prewire.bundle.packing import pack
    from prewire.bundle.parts import parts
    from prewire.bundle.redacting import Redactor

    in_force = settings.load()
    tls.begin(in_force.tls, in_force.nib, in_force.switch_db or "")
    at = show_instant(round(time.time()) * 1000)
    path = target or Path(f"prewire-support-{at.replace(':', '').replace('-', '')}.tar.gz")
    redactor = Redactor(_secrets(in_force))
    with progress.bar("support bundle") as told:
        packed = pack(path, list(parts(in_force, client(api), log or ())), redactor, at, told)
    found: dict[str, Any] = {
        "file": str(path.absolute()),
        "bytes": packed.size,
        "files": packed.files,
        "failures": list(packed.failures),
    }
    if not show.as_data(found, output):
        show.lines(f"wrote {path}: {packed.files} files, {packed.size} bytes")
        show.lines(*(f"not in it: {each}" for each in packed.failures[:_SHOWN]))
        more = len(packed.failures) - _SHOWN
        show.lines(*([f"and {more} more, as its README.txt says"] if more > 0 else []))


def _secrets(in_force: Settings) -> Iterator[str]:
    """What is known to be secret: tokens that are used here, and passwords in settings' URLs."""
    yield GIVEN.get() or ""
    yield os.environ.get(TOKEN, "")
    for path in (in_force.state_dir / ADMIN_FILE, Path(os.environ.get(TOKEN_FILE) or os.devnull)):
        if os.access(path, os.R_OK):
            yield path.read_text("utf-8", errors="replace").strip()
    for value in in_force.model_dump().values():
        for url in str(value).split(";") if "://" in str(value) else ():
            yield _password(url)


def _password(url: str) -> str:
    try:
        return urlsplit(url.strip()).password or ""
    except ValueError:
        return ""
