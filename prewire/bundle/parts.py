"""The parts of a bundle: what is asked, of whom, and under which name it is kept.

Each part is a function that returns text or data, and may fail by itself. What is asked for is read
only; files with secrets (tokens, keys, the database) are not read.
Must not know: how secrets are taken out, how a bundle is written.
"""

from __future__ import annotations

import json
import os
import platform
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from importlib.metadata import distributions
from pathlib import Path
from typing import Any, Final

import httpx

from nib.tls_stream import tool_options
from prewire import __version__
from prewire.commands.client import Client
from prewire.commands.doctor_commands import gathered
from prewire.commands.exporting import document
from prewire.commands.kinds import KINDS
from prewire.doctor.checks import findings
from prewire.errors import CommandFailed
from prewire.host.ovs import OpenVSwitch, switch_database
from prewire.settings import Settings

_COMMAND_S: Final = 15
_LOG_BYTES: Final = 4_000_000  # of a log, its end
_LOG_LINES: Final = "20000"
_SINGLE: Final = ("status", "topology", "dependencies/graph", "readings", "adopt")
_TOOLS: Final = (
    ("ovs-vswitchd", "--version"),
    ("ovsdb-server", "--version"),
    ("ovs-vsctl", "--version"),
    ("tc", "-V"),
)
_DUMPS: Final = {
    "flows": "dump-flows",
    "groups": "dump-groups",
    "group-stats": "dump-group-stats",
    "meters": "dump-meters",
    "meter-stats": "meter-stats",
    "ports": "dump-ports-desc",
    "port-stats": "dump-ports",
    "queues": "queue-stats",
}


@dataclass(frozen=True, slots=True)
class Part:
    """One file of a bundle, and what makes it: text, or data to be written as JSON."""

    path: str
    make: Callable[[], Any]


def parts(settings: Settings, server: Client, logs: Sequence[Path]) -> Iterator[Part]:
    """All parts. logs: further files."""
    yield Part("versions.json", _versions)
    yield Part("settings.json", partial(_settings, settings))
    yield from _of_rest(server)
    yield from _metrics(settings)
    yield Part("doctor.json", partial(_doctor, settings))
    yield from _of_switches(settings)
    yield from _logs(settings, logs)


# ------------------------------------------------------------------------------- this machine


def _versions() -> dict[str, Any]:
    packages = sorted({f"{each.name} {each.version}" for each in distributions()}, key=str.lower)
    tools = {" ".join(command): _version(command) for command in _TOOLS if shutil.which(command[0])}
    return {
        "prewire": __version__,
        "python": sys.version,
        "system": platform.platform(),
        "tools": tools,
        "packages": packages,
    }


def _version(command: Sequence[str]) -> str:
    """A tool's own words, or why it has none."""
    try:
        return _said(command).partition("\n")[0]
    except CommandFailed as error:
        return str(error)


def _settings(settings: Settings) -> dict[str, Any]:
    """What is set, and by which variables; values of variables of other programs are left out."""
    given = {name: str(value) for name, value in settings.model_dump().items()}
    variables = sorted(name for name in os.environ if name.startswith(("PREWIRE_", "OVS_")))
    return {"settings": given, "variables": variables, "user": os.geteuid()}


def _doctor(settings: Settings) -> dict[str, Any]:
    facts = gathered(settings)
    return {
        "items": [asdict(each) for each in findings(facts)],
        "not_looked_at": list(facts.unseen),
    }


def _logs(settings: Settings, further: Sequence[Path]) -> Iterator[Part]:
    """Of the service manager, of the database's server, and those that were named."""
    if shutil.which("journalctl"):
        command = ["journalctl", "--no-pager", "-u", "prewire*", "-n", _LOG_LINES]
        yield Part("logs/journal.txt", partial(_said, command))
    own = sorted(settings.state_dir.glob("*.log")) if settings.state_dir.is_dir() else []
    for number, path in enumerate([*own, *further]):
        yield Part(f"logs/{number}-{path.name}.txt", partial(_end_of, path))


def _end_of(path: Path) -> str:
    with path.open("rb") as file:
        size = file.seek(0, os.SEEK_END)
        file.seek(max(0, size - _LOG_BYTES))
        return file.read().decode(errors="replace")


# ------------------------------------------------------------------------------- servers


def _of_rest(server: Client) -> Iterator[Part]:
    """Everything that REST lists, and the intent as a document of `apply`."""
    for kind in KINDS:
        yield Part(f"rest/{kind.plural}.json", partial(server.call, "GET", kind.list_path))
    for path in _SINGLE:
        name = path.replace("/", "-")
        yield Part(f"rest/{name}.json", partial(server.call, "GET", f"/v1/{path}"))
    yield Part("intent.json", partial(_intent, server))


def _intent(server: Client) -> dict[str, Any]:
    members: dict[str, Any] = {}
    for kind in KINDS:
        if kind.member:
            members |= document(kind, kind.flatten(server.call("GET", kind.list_path)))
    return members


def _metrics(settings: Settings) -> Iterator[Part]:
    urls = {"api": f"{settings.api_url}/metrics"}
    urls |= {f"controller-{number}": url for number, url in enumerate(settings.scrape_urls)}
    if settings.predictor_metrics_port:
        host, port = settings.predictor_host, settings.predictor_metrics_port
        urls["predictor"] = str(httpx.URL(scheme="http", host=host, port=port, path="/metrics"))
    for name, url in urls.items():
        yield Part(f"metrics/{name}.txt", partial(_fetched, url, settings))


def _fetched(url: str, settings: Settings) -> str:
    tls = settings.tls_files
    trusted = True if tls is None else tls.trusting_context()
    try:
        return httpx.get(url, timeout=_COMMAND_S, verify=trusted).raise_for_status().text
    except httpx.HTTPError as error:
        raise CommandFailed(f"{url}: {error}") from None


# ------------------------------------------------------------------------------- switches


def _of_switches(settings: Settings) -> Iterator[Part]:
    """What this machine's Open vSwitch says of itself, and each of its bridges."""
    remote = switch_database(settings)
    if not remote:
        return
    switch = OpenVSwitch(remote)
    shown = ["ovs-vsctl", f"--db={remote}", *tool_options(remote), "show"]
    yield Part("switch/show.txt", partial(_said, shown))
    try:
        bridges = switch.bridges()
    except CommandFailed:
        return  # the part before tells why
    environment = {"OVS_RUNDIR": str(switch.run_dir)}
    for bridge in bridges:
        for name, command in _DUMPS.items():
            said = ["ovs-ofctl", "-O", "OpenFlow13", command, bridge.name]
            yield Part(f"switch/{bridge.name}/{name}.txt", partial(_said, said, environment))


def _said(command: Sequence[str], environment: Mapping[str, str] | None = None) -> str:
    """What a command prints. CommandFailed where it fails."""
    try:
        done = subprocess.run(
            list(command),
            env={**os.environ, **(environment or {})},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=_COMMAND_S,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise CommandFailed(f"{command[0]}: {error}") from None
    if done.returncode:
        why = " ".join(done.stderr.split()) or f"status {done.returncode}"
        raise CommandFailed(f"{command[0]}: {why}")
    return done.stdout


def written(value: Any) -> str:
    """Text as it is, data as JSON."""
    return value if isinstance(value, str) else json.dumps(value, indent=1) + "\n"
