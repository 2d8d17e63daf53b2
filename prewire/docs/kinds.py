"""The kinds of objects that commands take, as a table of the documentation."""

from __future__ import annotations

from typing import Final

from prewire.commands.kinds import KINDS, Kind
from prewire.docs.interfaces import table

_HEADINGS: Final = ("kind", "aliases", "name", "ready", "applied by `apply`", "deleted by `delete`")
_READY: Final = {
    "service": "a container takes new connections",
    "container": "it takes new connections",
    "policy": "active",
    "link-rate": "active",
    "scaling": "as many containers are ready as planned",
    "provisioning": "it has a plan",
    "schedule": "active",
    "plan": "it holds and is not stale",
    "prewarm-request": "the containers are ready",
    "switch": "connected, without a problem",
    "link": "up, without a problem",
    "host": "without a problem",
}


def kinds() -> str:
    """Every kind: how it is called, how its objects are, and which commands take it."""
    return table(_HEADINGS, map(_row, KINDS))


def _row(kind: Kind) -> tuple[str, ...]:
    spelt = dict.fromkeys((kind.name, *kind.aliases))
    return (
        f"`{kind.plural}`",
        ", ".join(f"`{each}`" for each in spelt if each != kind.plural),
        kind.spelling,
        _READY[kind.name] if kind.ready is not None else "",
        "yes" if kind.member else "",
        "yes" if kind.deletable else "",
    )
