"""A list of the REST server, asked for by the standard library alone, and given little time.

For the completion of words, which cannot wait for the settings and the HTTP library of commands. It
looks for the server where they do: environment, then the settings' file. The token is theirs.
Must not know: what the list is for.
"""

from __future__ import annotations

import http.client
import json
import os
import ssl
import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

from prewire.commands.credentials import token_for

_WITHIN_S: Final = 0.5
_FILE: Final = "/etc/prewire/prewire.toml"
_DEFAULTS: Final = {
    "api_host": "127.0.0.1",
    "api_port": "8686",
    "tls": "",
    "state_dir": "/var/lib/prewire",
}


@dataclass(frozen=True, slots=True)
class _Here:
    """This machine's own server, as `credentials` asks for it."""

    api_url: str
    state_dir: Path


def listed(path: str, url: str | None) -> list[Any]:
    """The items of a list; url: of the server, None: as set. Raises whatever goes wrong."""
    settings = _settings()
    here = _Here(_own_url(settings), Path(settings["state_dir"]))
    url = url or os.environ.get("PREWIRE_API") or here.api_url
    token = token_for(url, here)
    server = urlsplit(url)
    connection = _connection(server.scheme, server.netloc, settings["tls"])
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    try:
        connection.request("GET", f"{server.path.rstrip('/')}{path}", headers=headers)
        answer = connection.getresponse()
        found = json.loads(answer.read()) if answer.status == http.client.OK else {}
    finally:
        connection.close()
    if "items" in found:
        return list(found["items"])
    return [  # plans, by member
        {"kind": member, "name": each.get("service") or each.get("policy"), **each}
        for member in ("services", "policies")
        for each in found.get(member, ())
    ]


def _settings() -> dict[str, str]:
    """Of each the value in force, where a flag says nothing."""
    path = Path(os.environ.get("PREWIRE_CONFIG") or _FILE)
    written = tomllib.loads(path.read_text("utf-8")) if path.is_file() else {}
    return {
        name: os.environ.get(f"PREWIRE_{name.upper()}") or str(written.get(name, usual))
        for name, usual in _DEFAULTS.items()
    }


def _own_url(settings: dict[str, str]) -> str:
    host = settings["api_host"]
    shown = f"[{host}]" if ":" in host else host
    return f"{'https' if settings['tls'] else 'http'}://{shown}:{settings['api_port']}"


def _connection(scheme: str, place: str, tls: str) -> http.client.HTTPConnection:
    if scheme != "https":
        return http.client.HTTPConnection(place, timeout=_WITHIN_S)
    context = ssl.create_default_context(cafile=str(Path(tls) / "cacert.pem") if tls else None)
    context.check_hostname = not tls  # as commands: the CA is ours, names are not compared
    return http.client.HTTPSConnection(place, timeout=_WITHIN_S, context=context)
