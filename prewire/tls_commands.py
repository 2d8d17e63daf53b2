"""`prewire tls`: certificates for trying TLS out."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from prewire import certificates, show

app = typer.Typer(no_args_is_help=True, help="Certificates for trying TLS out.")


@app.callback()
def _group() -> None:
    """With a single command, typer would otherwise do without its name."""


@app.command()
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
