"""The kinds of objects that `get`, `delete`, `wait` and `watch` take: one table of them all.

Owns: how each is called, where REST has it, what its key is, how a table shows it, and when it is
ready. A further kind is a further entry.
Must not know: which commands there are, HTTP.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from difflib import get_close_matches
from typing import Any, Final, TypeAlias
from urllib.parse import quote

import typer

from nib.fields import check_mac, check_name, check_text
from prewire.commands import columns, rows
from prewire.errors import CommandFailed

Object: TypeAlias = Mapping[str, Any]
Check: TypeAlias = Callable[[str, object], str]

# Where a part of a key is an id, the field that has the name people give it.
_SPOKEN: Final = {"switch": "switch_name", "dpid": "name"}


@dataclass(frozen=True, slots=True, eq=False)
class Kind:
    """One kind. key: the fields whose values, joined by slashes, name an object, with their checks;
    one: an object's path, with its key in place of {}, where that is not below the list's.

    alone: whether REST has a path of one object; member: of the document of `apply`, "" where it
    has none; ready: whether an object does what it is for, None where that cannot be asked.
    """

    name: str
    plural: str
    columns: Mapping[str, str]
    key: tuple[tuple[str, Check], ...] = (("name", check_name),)
    aliases: tuple[str, ...] = ()
    one: str = ""
    alone: bool = True
    row: Callable[[Object], Object] = dict
    member: str = ""
    ready: Callable[[Object], bool] | None = None
    deletable: bool = True
    flatten: Callable[[Any], list[Any]] = field(default=lambda answer: list(answer["items"]))

    @property
    def list_path(self) -> str:
        """Where REST lists them."""
        return f"/v1/{self.plural}"

    @property
    def spelling(self) -> str:
        """How a whole name is written, as in "SERVICE/ID"."""
        return "/".join(name.upper() for name, _ in self.key)

    def key_of(self, item: Object) -> str:
        """An object's name among its kind, as in "web/c1"."""
        return "/".join(str(item[name]) for name, _ in self.key)

    def parts_of(self, name: str) -> list[str]:
        """The parts of a name; the last may have slashes. FieldError where one cannot be."""
        parts = name.split("/", len(self.key) - 1)
        return [check(what, part) for (what, check), part in zip(self.key, parts, strict=False)]

    def path_of(self, parts: Sequence[str]) -> str:
        """Where REST has the object of these parts of a key."""
        template = self.one or "/".join([self.list_path, *("{}" for _ in self.key)])
        return template.format(*(quote(part, safe="") for part in parts))

    def is_meant(self, item: Object, parts: Sequence[str]) -> bool:
        """Whether an object's key begins with these parts; switches by name too."""
        meant = zip(self.key, parts, strict=False)
        return all(
            part in (str(item[name]), item.get(_SPOKEN.get(name, name)))
            for (name, _), part in meant
        )


def _is(name: str, value: object) -> Callable[[Object], bool]:
    return lambda item: bool(item[name] == value)


def _in_time(item: Object) -> bool:
    plan = item["plan"]
    return plan is not None and item["ready"] >= plan["containers"]


_SERVICE: Final = (("service", check_name),)
_PORT: Final = (("switch", check_text), ("port", check_text))

KINDS: Final[tuple[Kind, ...]] = (
    Kind(
        "service",
        "services",
        columns.SERVICE,
        aliases=("svc",),
        member="services",
        ready=lambda item: item["ready"] > 0,
    ),
    Kind(
        "container",
        "containers",
        {"SERVICE": "service", **columns.CONTAINER},
        key=(("service", check_name), ("id", check_name)),
        aliases=("ctr",),
        one="/v1/services/{}/containers/{}",
        ready=_is("state", "ready"),
    ),
    Kind("class", "classes", columns.CLASS, member="classes"),
    Kind(
        "policy",
        "policies",
        columns.POLICY,
        aliases=("pol",),
        row=rows.policy,
        member="policies",
        ready=_is("state", "active"),
    ),
    Kind(
        "link-rate",
        "link-rates",
        columns.LINK_RATE,
        key=_PORT,
        row=rows.link_rate,
        member="link_rates",
        ready=_is("state", "active"),
    ),
    Kind(
        "scaling",
        "scalings",
        columns.SCALING,
        key=_SERVICE,
        one="/v1/services/{}/scaling",
        row=rows.scaling,
        member="scalings",
        ready=_in_time,
    ),
    Kind(
        "provisioning",
        "provisionings",
        columns.PROVISIONING,
        key=(("policy", check_name),),
        one="/v1/policies/{}/provisioning",
        row=rows.provisioning,
        member="provisionings",
        ready=lambda item: item["plan"] is not None,
    ),
    Kind(
        "schedule",
        "schedules",
        columns.SCHEDULE,
        row=rows.ahead,
        member="schedules",
        ready=_is("state", "active"),
    ),
    Kind(
        "override",
        "overrides",
        columns.OVERRIDE,
        key=(("kind", check_name), ("name", check_name)),
        row=rows.ahead,
        member="overrides",
    ),
    Kind(
        "dependency",
        "dependencies",
        columns.DEPENDENCY,
        key=(("parent", check_name), ("child", check_name)),
        aliases=("dep",),
        row=rows.dependency,
        member="dependencies",
    ),
    Kind(
        "plan",
        "plans",
        columns.PLAN,
        key=(("kind", check_name), ("name", check_name)),
        row=rows.plan,
        ready=lambda item: bool(item["valid"] and not item["stale"]),
        deletable=False,
        flatten=rows.all_plans,
    ),
    Kind(
        "prewarm-request",
        "prewarm-requests",
        columns.REQUEST,
        key=(("id", check_text),),
        aliases=("prewarm",),
        row=rows.request,
        ready=_is("state", "ready"),
        deletable=False,
    ),
    Kind(
        "switch",
        "switches",
        columns.SWITCH,
        key=(("dpid", check_text),),
        aliases=("sw",),
        ready=lambda item: bool(item["connected"] and not item["problem"]),
    ),
    Kind(
        "link",
        "links",
        columns.LINK,
        key=_PORT,
        row=rows.link,
        ready=lambda item: bool(item["up"] and not item["problem"]),
        alone=False,
        deletable=False,
    ),
    Kind(
        "host",
        "hosts",
        columns.HOST,
        key=(("mac", check_mac),),
        row=rows.host,
        ready=lambda item: not item["problem"],
    ),
    Kind(
        "bandwidth",
        "bandwidth",
        columns.BANDWIDTH,
        key=_PORT,
        row=rows.bandwidth,
        alone=False,
        deletable=False,
    ),
    Kind(
        "demand",
        "demand",
        columns.DEMAND,
        key=_SERVICE,
        row=rows.demand,
        alone=False,
        deletable=False,
    ),
    Kind(
        "predictor",
        "predictors",
        columns.PREDICTOR,
        row=rows.predictor,
        alone=False,
        deletable=False,
    ),
    Kind(
        "event",
        "events",
        columns.EVENT,
        key=(("id", check_text),),
        aliases=("ev",),
        row=rows.event,
        deletable=False,
    ),
)

_BY_WORD: Final[Mapping[str, Kind]] = {
    word: kind for kind in KINDS for word in (kind.name, kind.plural, *kind.aliases)
}


def kind_called(word: str) -> Kind:
    """The kind of this name, plural or alias; wrong usage for another word, with what is near."""
    kind = _BY_WORD.get(word.lower().replace("_", "-"))
    if kind is not None:
        return kind
    near = get_close_matches(word.lower(), _BY_WORD, n=1)
    meant = f"did you mean {near[0]}? " if near else ""
    raise typer.BadParameter(f"{word!r} is no kind; {meant}there are {', '.join(plurals())}")


def plurals() -> list[str]:
    """All kinds as people list them."""
    return [kind.plural for kind in KINDS]


def missing(kind: Kind, name: str, known: Iterable[str]) -> CommandFailed:
    """That there is no such object, and what may be meant."""
    near = get_close_matches(name, list(known), n=1, cutoff=0.5)
    meant = f"did you mean {near[0]}? " if near else ""
    return CommandFailed(
        f"name: there is no {kind.name} {name}; {meant}`prewire get {kind.plural}` lists all"
    )
