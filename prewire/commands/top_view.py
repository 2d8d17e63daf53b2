"""What goes on now as tables for a terminal: the busiest first, as many rows as there is room for.

Pure: JSON objects in, rich's tables out.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from nib.rates import show_rate

Json = Mapping[str, Any]
Row = Json
_NOT_KNOWN: Final = "-"
_FULL: Final = 0.9  # of what a link can carry


@dataclass(frozen=True, slots=True)
class Section:
    """One table. columns: heading -> cell of a row; heat: how busy a row is."""

    title: str
    columns: Mapping[str, Callable[[Row], str | Text]]
    heat: Callable[[Row], float]


def view(readings: Json, names: Mapping[str, str], plans: Json, room: int | None) -> RenderableType:
    """The kinds that are told, in the order of `SECTIONS`.

    names: of switches, by datapath id. plans: containers planned, by service. room: lines there
    are; None: all rows.
    """
    kinds = [kind for kind in SECTIONS if readings.get(kind) is not None]
    rows = {kind: [_named(row, names, plans) for row in readings[kind]] for kind in kinds}
    shown = {kind: rows[kind] for kind in kinds if rows[kind] or len(kinds) == 1}
    most = _shared({kind: len(rows) for kind, rows in shown.items()}, room)
    parts: list[RenderableType] = []
    for kind, each in shown.items():
        parts += [_table(SECTIONS[kind], each, most[kind]), Text("")]
    return Group(head(readings), Text(""), *parts)


def head(readings: Json) -> Text:
    """The whole in a line; what is stale says why."""
    if readings["stale"]:
        return Text(f"stale: {readings['failure']}", style="bold red")
    services, links = readings.get("services") or [], readings.get("links") or []
    new, sent = _total(services, "new_connections_per_s"), _total(links, "transmit_bps")
    dropped = _total(links, "transmit_dropped_pps")
    parts = [_counted(services, "service")] if services else []
    parts += [f"{_amount(new)} new connections/s"] if new is not None else []
    parts += [_counted(links, "port")] if links else []
    parts += [f"{_bps(sent)}bit/s out"] if sent is not None else []
    parts += [f"{_amount(dropped)} packets/s dropped"] if dropped else []
    return Text("; ".join(parts) or "nothing is read yet", style="bold")


def _table(section: Section, rows: Sequence[Row], most: int | None) -> Table:
    hottest = sorted(rows, key=section.heat, reverse=True)
    left_out = 0 if most is None else max(0, len(rows) - most)
    title = f"{section.title} ({left_out} more)" if left_out else section.title
    table = Table(box=None, pad_edge=False, header_style="bold", title=title, title_justify="left")
    for heading in section.columns:
        is_number = heading not in _TEXTS
        table.add_column(heading, no_wrap=True, justify="right" if is_number else "left")
    for row in hottest[: len(rows) - left_out]:
        table.add_row(*(_text(cell(row)) for cell in section.columns.values()))
    return table


def _shared(counts: Mapping[str, int], room: int | None) -> dict[str, int | None]:
    """How many rows each table gets: what one does not need the others have."""
    if room is None:
        return dict.fromkeys(counts)
    left = max(len(counts), room - 3 * len(counts) - 2)  # a title, headings and a gap each
    given: dict[str, int | None] = {}
    for place, kind in enumerate(sorted(counts, key=counts.__getitem__)):
        given[kind] = max(1, min(counts[kind], left // (len(counts) - place)))
        left -= given[kind] or 0
    return given


def _named(row: Row, names: Mapping[str, str], plans: Json) -> Row:
    switch = row.get("switch", "")
    return {**row, "name": names.get(switch, switch), "planned": plans.get(row.get("service", ""))}


def _text(cell: str | Text) -> Text:
    return cell if isinstance(cell, Text) else Text(cell)


def _field(name: str) -> Callable[[Row], str]:
    return lambda row: str(row[name])


def _number(name: str) -> Callable[[Row], str]:
    return lambda row: _amount(row[name])


def _bits(name: str) -> Callable[[Row], str]:
    return lambda row: _bps(row[name])


def _warm(name: str, show: Callable[[float | None], str]) -> Callable[[Row], Text]:
    """What should be 0."""
    return lambda row: Text(show(row[name]), style="bold red" if row[name] else "")


def _amount(value: float | None) -> str:
    if value is None:
        return _NOT_KNOWN
    return f"{value:.0f}" if value >= 100 or value == int(value) else f"{value:.1f}"


def _bps(value: float | None) -> str:
    """At most three digits that count: 940M, 1.25G."""
    return _NOT_KNOWN if value is None else show_rate(float(f"{value:.3g}"))


def _use(row: Row) -> float:
    return (row["transmit_bps"] or 0.0) / row["rate_bps"] if row["rate_bps"] else 0.0


def _use_shown(row: Row) -> str | Text:
    if not row["rate_bps"] or row["transmit_bps"] is None:
        return _NOT_KNOWN
    return Text(f"{_use(row):.0%}", style="bold red" if _use(row) >= _FULL else "")


def _ready(row: Row) -> str:
    return f"{row['containers'].get('ready', 0)}/{sum(row['containers'].values())}"


def _panic(row: Row) -> Text:
    return Text("panic" if row["panic"] else "", style="bold red")


def _counted(rows: Sequence[Row], what: str) -> str:
    return f"{len(rows)} {what}{'' if len(rows) == 1 else 's'}"


def _total(rows: Iterable[Row], name: str) -> float | None:
    known = [row[name] for row in rows if row[name] is not None]
    return sum(known) if known else None


SECTIONS: Final[Mapping[str, Section]] = {
    "services": Section(
        "SERVICES",
        {
            "SERVICE": _field("service"),
            "READY": _ready,
            "PLANNED": _number("planned"),
            "NEW/S": _number("new_connections_per_s"),
            "IN FLIGHT": _number("inflight"),
            "TO": _bits("to_bps"),
            "FROM": _bits("from_bps"),
            "REFUSED/S": _warm("refused_per_s", _amount),
            "NO CONTAINER/S": _warm("without_container_pps", _amount),
            "": _panic,
        },
        lambda row: (row["from_bps"] or 0.0) + (row["new_connections_per_s"] or 0.0),
    ),
    "containers": Section(
        "CONTAINERS",
        {
            "SERVICE": _field("service"),
            "CONTAINER": _field("container"),
            "STATE": _field("state"),
            "SLOTS": _number("slots"),
            "NEW/S": _number("new_connections_per_s"),
            "IN FLIGHT": _number("inflight"),
            "TO": _bits("to_bps"),
            "FROM": _bits("from_bps"),
        },
        lambda row: (row["from_bps"] or 0.0) + (row["new_connections_per_s"] or 0.0),
    ),
    "policies": Section(
        "POLICIES",
        {
            "POLICY": _field("policy"),
            "STATE": _field("state"),
            "PASSED": _bits("passed_bps"),
            "DROPPED": _warm("dropped_bps", _bps),
            "DROPPED/S": _warm("dropped_pps", _amount),
            "LIMIT": _bits("limit_bps"),
            "GUARANTEED": _bits("guaranteed_bps"),
            "CONNECTIONS": _number("connections"),
        },
        lambda row: row["offered_bps"] or 0.0,
    ),
    "links": Section(
        "PORTS",
        {
            "SWITCH": _field("name"),
            "PORT": _field("port"),
            "OUT": _bits("transmit_bps"),
            "USE": _use_shown,
            "IN": _bits("receive_bps"),
            "RATE": _bits("rate_bps"),
            "GUARANTEED": _bits("guaranteed_bps"),
            "DROPPED/S": _warm("transmit_dropped_pps", _amount),
        },
        lambda row: _use(row) or (row["transmit_bps"] or 0.0) / 1e15,
    ),
    "queues": Section(
        "QUEUES",
        {
            "SWITCH": _field("name"),
            "PORT": _field("port"),
            "QUEUE": _field("queue"),
            "CLASS": _field("class"),
            "OUT": _bits("bps"),
            "PACKETS/S": _number("pps"),
            "DROPPED/S": _warm("dropped_pps", _amount),
        },
        lambda row: row["bps"] or 0.0,
    ),
}
_TEXTS: Final = frozenset(
    {"SERVICE", "CONTAINER", "STATE", "POLICY", "SWITCH", "PORT", "CLASS", ""}
)
