"""The options of `prewire service set`, as types of its parameters.

Must not know: what becomes of their values.
"""

from __future__ import annotations

import re
from typing import Annotated, Any, Final

import typer

from prewire.commands.command_options import milliseconds, time_option, whole_seconds

_EXTRA_PORT: Final = re.compile(r"([0-9]{1,5}):([0-9]{1,5})(?:/(tcp|udp))?")
_STATUSES: Final = re.compile(r"([0-9]{3})(?:-([0-9]{3}))?")


def _extra_port(text: str) -> dict[str, int | str]:
    """An item of extra_ports; wrong usage for other text."""
    found = _EXTRA_PORT.fullmatch(text)
    if found is None:
        raise typer.BadParameter(f"{text!r} is not PORT:TARGET or PORT:TARGET/PROTOCOL")
    return {"port": int(found[1]), "target": int(found[2]), "protocol": found[3] or "tcp"}


def _statuses(text: str) -> dict[str, int]:
    """Fields of health; wrong usage for other text."""
    found = _STATUSES.fullmatch(text)
    if found is None:
        raise typer.BadParameter(f"{text!r} is not a status, nor two of them as in 200-399")
    return {"status_from": int(found[1]), "status_to": int(found[2] or found[1])}


Vip = Annotated[str, typer.Option(help="Virtual IP address.")]
Port = Annotated[int, typer.Option(help="Port that clients connect to.")]
Protocol = Annotated[str, typer.Option(help="tcp or udp.")]
ExtraPorts = Annotated[
    list[Any] | None,  # of dicts: typer knows no such type
    typer.Option(
        parser=_extra_port,
        metavar="PORT:TARGET[/PROTOCOL]",
        help="A further port and the containers' port for it, as in 8443:9443; repeatable.",
    ),
]
Mode = Annotated[str | None, typer.Option(help="stateful or stateless.")]
Policy = Annotated[str | None, typer.Option(help="weighted, least_inflight or source_affinity.")]
Affinity = Annotated[
    int | None,
    time_option(whole_seconds, "How long a client's slot stays, as in 10m (source_affinity)."),
]
OnEmpty = Annotated[str | None, typer.Option(help="Without a container: reject or hold.")]
SlowStart = Annotated[
    int | None, time_option(whole_seconds, "In which a new container's share grows, as in 30s.")
]
PanicPercent = Annotated[
    int | None, typer.Option(help="With fewer containers usable, all are used.")
]
Locality = Annotated[
    str | None, typer.Option(help="none, or prefer: containers of the client's switch first.")
]

Switches = Annotated[
    list[str] | None,
    typer.Option(
        "--switch",
        metavar="SWITCH",
        help="That clients enter by; repeatable. [default: every switch]",
    ),
]

# ------------------------------------------------------------------------------- checks

Health = Annotated[str | None, typer.Option(help="Active check: tcp, http or grpc.")]
HealthPort = Annotated[int | None, typer.Option(help="Port it asks. [default: the container's]")]
HealthPath = Annotated[str | None, typer.Option(help="Path it asks for (http).")]
HealthStatus = Annotated[
    dict[str, int] | None,
    typer.Option(
        parser=_statuses,
        metavar="FROM-TO",
        help="Statuses that are good, as in 200-399 (http).",
    ),
]
HealthGrpcService = Annotated[str | None, typer.Option(help="Service it asks for (grpc).")]
HealthInterval = Annotated[int | None, time_option(milliseconds, "Between checks, as in 300ms.")]
HealthTimeout = Annotated[int | None, time_option(milliseconds, "Of one check, as in 200ms.")]
HealthRise = Annotated[int | None, typer.Option(help="Successes in a row that make it up.")]
HealthFall = Annotated[int | None, typer.Option(help="Failures in a row that make it down.")]

# ------------------------------------------------------------------------------- ejection

Eject = Annotated[
    int | None,
    typer.Option(help="Eject a container at this percentage of failed connections."),
]
EjectConnections = Annotated[
    int | None, typer.Option(help="Fewer new connections in a window say nothing.")
]
EjectWindow = Annotated[
    int | None, time_option(milliseconds, "Over which failures are counted, as in 1s.")
]
EjectTime = Annotated[int | None, time_option(milliseconds, "For which it is left out, as in 30s.")]
EjectMost = Annotated[
    int | None, typer.Option(help="Percentage of containers ejected at a time, at most.")
]

# ------------------------------------------------------------------------------- canary

Canary = Annotated[
    str | None, typer.Option(metavar="VERSION", help="Version with a share of its own.")
]
CanaryPercent = Annotated[int | None, typer.Option(help="Its share in the end.")]
CanaryStep = Annotated[
    int | None, typer.Option(help="Percentage added every step. [default: all at once]")
]
CanaryStepEvery = Annotated[int | None, time_option(milliseconds, "From step to step, as in 5m.")]
