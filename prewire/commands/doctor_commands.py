"""The command `doctor`: finds settings that have no effect.

It asks the database and, on a host with switches and as root, this machine's Open vSwitch and
kernel. What it could not look at it says.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from collections.abc import Set as AbstractSet
from dataclasses import asdict
from typing import Annotated, Final

import typer

from nib import tls
from nib.database import Nib
from prewire import settings
from prewire.commands import show
from prewire.commands.command_options import Form
from prewire.commands.show import Output
from prewire.doctor.checks import findings
from prewire.doctor.facts import Facts, Host
from prewire.doctor.findings import Finding
from prewire.settings import Settings

FAULTS: Final = 3  # exit code where anything does not work, or will not
_READ_BACK_S: Final = 10.0
_COLUMNS: Final = {"CODE": "code", "SEVERITY": "severity", "WHERE": "subject", "WHAT": "what"}


def add(app: typer.Typer) -> None:
    """Add the command."""
    app.command()(doctor)


def doctor(
    nib: Annotated[
        str | None, typer.Option(help="OVSDB remote of the NIB. [default: the setting `nib`]")
    ] = None,
    switch_db: Annotated[
        str | None,
        typer.Option(help="That of this host's Open vSwitch. [default: the setting `switch_db`]"),
    ] = None,
    output: Form = Output.TABLE,
) -> None:
    """Look for settings that have no effect, here and in the database; exit code 3 if any does not.

    Run it as root on each host with switches: what only a host can show is shown there.
    """
    in_force = settings.load(nib=nib, switch_db=switch_db)
    tls.begin(in_force.tls, in_force.nib, in_force.switch_db or "")
    facts = gathered(in_force)
    found = findings(facts)
    listed = [asdict(each) for each in found]
    if not show.as_data({"items": listed, "not_looked_at": list(facts.unseen)}, output):
        _print(found, facts.unseen)
    if any(each.is_fault for each in found):
        raise typer.Exit(FAULTS)


def gathered(in_force: Settings) -> Facts:
    """All that can be seen from here. Raises NibError."""
    # pulls in the compiler and os-ken, which other commands do without
    from prewire.doctor.nib import network_of, read_back  # noqa: PLC0415

    with Nib(in_force.nib_remote, "doctor") as nib:
        with nib.view() as view:
            network = network_of(view)
        host, unseen = _here(in_force, {each.dpid for each in network.switches})
        network, unread = read_back(nib, network, _READ_BACK_S)  # it may put things right
    return Facts(network, host, (*unread, *unseen))


def _here(in_force: Settings, known: AbstractSet[str]) -> tuple[Host | None, list[str]]:
    """What this machine has of these switches, and what was not looked at."""
    from prewire.doctor.host import HostReader  # noqa: PLC0415
    from prewire.host.ovs import OvsFailed, switch_database  # noqa: PLC0415

    remote = switch_database(in_force)
    if not remote:
        return None, ["this machine runs no Open vSwitch: no ports and queues were looked at"]
    if os.geteuid() != 0:
        return None, ["not root: this machine's ports and queues were not looked at"]
    try:
        return HostReader(remote).host(known)
    except OvsFailed as error:
        return None, [f"this machine's Open vSwitch: {error}"]


def _print(found: Sequence[Finding], unseen: Sequence[str]) -> None:
    """A table, and under it what helps, once for each."""
    if found:
        show.rows(_COLUMNS, [asdict(each) for each in found])
    else:
        show.lines("nothing found")
    remedies = dict.fromkeys((each.code, each.remedy) for each in found)
    show.lines(*(f"{code}: {remedy}" for code, remedy in remedies))
    show.lines(*(f"not looked at: {each}" for each in unseen))
