"""`prewire tls`: certificates, for one machine or several."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from prewire import certificates
from prewire.commands import show

group = typer.Typer(no_args_is_help=True, help="Certificates, for one machine or several.")


def add(app: typer.Typer) -> None:
    """Add the commands."""
    app.add_typer(group, name="tls")


@group.command()
def init(
    directory: Annotated[Path, typer.Argument(help="Where to put them; made where absent.")],
) -> None:
    """Make CAs and certificates for one machine, with ovs-pki: for prewire and for a switch."""
    switch = certificates.try_out(directory)
    files = " ".join(str(switch / f"{name}.pem") for name in ("privkey", "cert", "cacert"))
    show.lines(
        f"Certificates are in {directory.absolute()}. Use them:",
        f"  export PREWIRE_TLS={directory.absolute()}",
        f"  ovs-vsctl set-ssl {files}",
        "  ovs-vsctl set-controller BRIDGE ssl:HOST:6653",
    )


@group.command()
def authority(
    directory: Annotated[Path, typer.Argument(help="Where to keep it; must not exist.")],
) -> None:
    """Make the two CAs that vouch for prewire's machines and for switches, with ovs-pki. Their
    private keys stay there: keep the directory on a machine that runs nothing else."""
    path = directory.absolute()
    path.parent.mkdir(parents=True, exist_ok=True)
    certificates.Authorities(path).init()
    show.lines(f"the CAs are in {path}; `prewire tls issue` makes certificates with them")


@group.command()
def issue(
    host: Annotated[str, typer.Argument(help="The machine's name, as clients call it.")],
    directory: Annotated[Path, typer.Argument(help="Where to put its files; made where absent.")],
    pki: Annotated[Path, typer.Option("--pki", help="The directory of `prewire tls authority`.")],
) -> None:
    """Make the files of one machine: for the setting tls, and in switch/ those of its switches."""
    authorities = certificates.Authorities(pki.absolute())
    switch = certificates.issue_all(authorities, directory.absolute(), host)
    show.lines(
        f"certificates of {host} are in {directory.absolute()}, those of its switches in {switch}"
    )
