"""What is compared when nothing goes on any more: what was acknowledged, and what is there."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterator
from typing import Any

import httpx

from nib.cluster import ClusterServer
from nib.dbfile import run_tool
from tests import commands
from tests.chaos.ledger import Key, Value
from tests.chaos.world import World
from tests.chaos.writer import stored
from tests.waiting import until

_COOKIE = re.compile(r"cookie=0x[0-9a-f]+, ?")
_COLUMNS = ("service", "id", "iface_id", "address", "port", "weight", "version")


def by_rest(client: httpx.Client) -> dict[Key, Value]:
    """All containers as a REST server tells of them."""
    return dict(stored(each) for each in _pages(client, "/v1/containers"))


def _pages(client: httpx.Client, path: str) -> Iterator[dict[str, Any]]:
    cursor: str | None = ""
    while cursor is not None:
        given = {"cursor": cursor} if cursor else {}
        page = client.get(path, params=given, timeout=30).raise_for_status().json()
        yield from page["items"]
        cursor = page["next"]


def by_member(server: ClusterServer) -> dict[Key, Value]:
    """All containers as one member of the database has them."""
    asked = ["Prewire", {"op": "select", "table": "Container", "where": [], "columns": [*_COLUMNS]}]
    asked.append({"op": "select", "table": "Service", "where": [], "columns": ["_uuid", "name"]})
    answer = run_tool("ovsdb-client", "--no-leader-only", "query", server.remote, json.dumps(asked))
    containers, services = json.loads(answer)
    names = {row["_uuid"][1]: row["name"] for row in services["rows"]}
    rows = [{name: _plain(row[name]) for name in _COLUMNS} for row in containers["rows"]]
    return dict(
        stored(row | {"service": names.get(row["service"], row["service"])}) for row in rows
    )


def _plain(value: Any) -> Any:
    """An OVSDB value (RFC 7047 section 5.1) of at most one element."""
    if not isinstance(value, list):
        return value
    kind, content = value
    return content if kind == "uuid" else next(iter(content), None)


def tracebacks(log: str) -> Counter[str]:
    """Exceptions that processes logged with a traceback, by how they end."""
    found: Counter[str] = Counter()
    is_inside = False
    for line in log.splitlines():
        if line.startswith("Traceback (most recent call last)"):
            is_inside = True
        elif is_inside and line and not line.startswith((" ", "+", "|")):
            found[line[:160]] += 1
            is_inside = False
    return found


def lost_now(world: World) -> list[str]:
    """Acknowledged writes that no REST server tells of, while others are made."""
    expected = world.ledger.expected()
    answers = until(lambda: _by_any(world), bool, "a REST server tells of containers")
    return [str(lost) for lost in world.ledger.lost(expected, answers or {})]


def _by_any(world: World) -> dict[Key, Value] | None:
    for client in world.up.rest.clients:
        try:
            return by_rest(client)
        except httpx.HTTPError:
            continue
    return None


def lost_anywhere(world: World) -> list[str]:
    """Acknowledged writes that are not everywhere, when nobody writes."""
    expected = world.ledger.expected()
    found = {f"REST {client.base_url}": by_rest(client) for client in world.up.rest.clients}
    found |= {server.name: by_member(server) for server in world.up.cluster.servers}
    return [
        f"{where}: {lost}"
        for where, containers in found.items()
        for lost in world.ledger.lost(expected, containers)
    ]


def differences(world: World) -> list[str]:
    """Where intent and switches are not the same, as prewire reads them back."""
    said = []
    for switch in world.site.switches:
        path = f"/v1/switches/{world.site.dpid_of(switch)}/diff"
        found = world.up.http.post(path).raise_for_status().json()
        if found["missing"] or found["alien"]:
            said.append(f"{switch}: {found['missing']} missing, {found['alien']} alien rules")
    return said


def doctor(world: World) -> list[str]:
    """What `prewire doctor` finds wrong."""
    environment = {"PREWIRE_NIB": world.up.cluster.remote}
    done = commands.run("doctor", "-o", "json", env=environment, timeout_s=120)
    if not done.stdout:
        return [f"prewire doctor: exit {done.returncode} {done.stderr[-300:]}"]
    items = json.loads(done.stdout)["items"]
    return [
        f"prewire doctor: {each['code']} {each['where']} {each['what']}"
        for each in items
        if each["severity"] == "error"
    ]


def anew(world: World) -> list[str]:
    """Whether controllers that know nothing but the database want what the switches have.

    Both are killed and started: what all changes came to is compiled from scratch, and compared
    with what is installed. Cookies tell who wrote, so they may differ.
    """
    before = {switch: _rules(world, switch) for switch in world.site.switches}
    for controller in world.up.controllers:
        controller.kill()
    world.settle()
    until(lambda: differences(world), lambda found: not found, "switches have what is wanted", 60)
    said = []
    for switch in world.site.switches:
        now = _rules(world, switch)
        for what, rules in (("too many", before[switch] - now), ("missing", now - before[switch])):
            said += [f"compiled anew, {switch} had {what}: {rule}" for rule in sorted(rules)]
    return said


def _rules(world: World, switch: str) -> set[str]:
    return {_COOKIE.sub("", rule) for rule in world.site.rules_of(switch)}
