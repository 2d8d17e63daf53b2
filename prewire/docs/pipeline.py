"""Generated documentation of the pipeline: tables, registers, and an example intent's flows.

Every flow of the example must have a meaning (`meanings`): a new kind of flow without
one is an error, not a gap in the page.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import replace
from itertools import groupby
from typing import Final

from openflow import cookies, tables
from openflow.cookies import Kind
from openflow.fields import CT_MARK, NAMED, Subfield
from openflow.tables import Table, table_name
from openflow.text import actions_text, flow_text, group_text, match_text
from openflow.values import (
    RESERVED_PORTS,
    Action,
    Ct,
    Flow,
    Goto,
    Group,
    Output,
    OutputField,
    Resubmit,
    Rules,
    ToGroup,
)
from prewire.docs import example
from prewire.docs.interfaces import table as markdown_table
from prewire.docs.meanings import HOLDS, MEANINGS

_SHOWN_BUCKETS: Final = 3
_OUT: Final = "out([out of a port])"

# Where ovs-ofctl prints otherwise than we write: the order of ARP fields, a port's low half, which
# is a whole field by its older name, a conntrack mark or register of 0, how much of a packet is
# sent on, and a DSCP to be matched, as the byte that it is the upper part of.
_PRINTED: Final[tuple[tuple[str, str | Callable[[re.Match[str]], str]], ...]] = (
    (r"\bip_dscp=(\d+)", lambda found: f"nw_tos={int(found[1]) << 2}"),
    (r"(arp_op=\d+),(arp_tpa=[\d.]+)", r"\2,\1"),
    (r"NXM_OF_IN_PORT\[0\.\.15\]", "NXM_OF_IN_PORT[]"),
    (r"\b(ct_mark|reg\d+)=0x0\b", r"\1=0"),
    (r"\bCONTROLLER\b", "CONTROLLER:65535"),
)


# ------------------------------------------------------------------------------- the parts


def table_list() -> str:
    """The list of tables."""
    rows = (
        (str(each.number), f"`{each.name}`", each.purpose, f"`{each.owner}`", _miss(each))
        for each in tables.PIPELINE
    )
    return markdown_table(("number", "table", "it", "filled by", "no flow takes the packet"), rows)


def registers() -> str:
    """Registers and what conntrack remembers, by name."""
    names = {each.label: each for each in NAMED} | {"ct_mark": CT_MARK}
    rows = ((_where(bits), f"`{name}`", HOLDS[name]) for name, bits in names.items())
    return markdown_table(("bits", "name in texts", "holds"), rows)


def diagram() -> str:
    """How packets move between tables, from the flows of the example."""
    rules = example.rules()
    lines = ["flowchart TD", "  port([port]) --> classify"]
    ordered = sorted(rules.flows, key=_order)
    lines += dict.fromkeys(line for flow in ordered for line in _edges(flow, rules))
    return "```mermaid\n" + "\n".join(lines) + "\n```"


def flows() -> str:
    """A section for every table with its flows, and the same lines as the switch dumps them."""
    return "\n".join(_section(each) for each in tables.PIPELINE)


def group() -> str:
    """The example's groups: the service's, its first buckets, and the way to the other switch."""
    service, route = example.service_group(), example.route_group()
    numbers = ", ".join(f"{each.number}" for each in example.containers())
    return (
        f"```\n{_shortened(service)}\n```\n\n"
        f"The numbers of the containers are {numbers}. The group has {len(service.buckets)} "
        "buckets of equal weight; a bucket's place is its slot. No slot leads to the draining "
        f"container.\n\n```\n{group_text(route)}\n```\n\n"
        "The way to the other switch, numbered by that switch's conntrack zone. Both links are as "
        "short, so connections are shared out among them; each bucket watches its port, so the "
        "switch itself leaves out a link that is down. Where one way is the shortest, the group is "
        "of type `ff`: that way, then a detour along which nothing comes back."
    )


# ------------------------------------------------------------------------------- dump lines


def dump_lines(number: int | None = None) -> list[str]:
    """The example's flows as `ovs-ofctl --no-stats dump-flows` prints them, of one table or all."""
    wanted = sorted(
        (flow for flow in example.rules().flows if number in (None, flow.table)), key=_order
    )
    return [_dump_line(flow) for flow in wanted]


def _dump_line(flow: Flow) -> str:
    where = f"table={flow.table}, " if flow.table else ""
    on = match_text(flow.match, "ovs")
    words = f"priority={flow.priority}{',' if on else ''}{on}"
    line = f"cookie={flow.cookie:#x}, {where}{words} actions={actions_text(flow.actions, 'ovs')}"
    for ours, theirs in _PRINTED:
        line = re.sub(ours, theirs, line)
    return line


# ------------------------------------------------------------------------------- helpers


def _order(flow: Flow) -> tuple[int, int, str]:
    return flow.table, -flow.priority, match_text(flow.match)


def _section(shown: Table) -> str:
    wanted = [flow for flow in example.rules().flows if flow.table == shown.number]
    wanted = sorted((flow for flow in wanted if flow.priority), key=_order)
    lines = [f"### {shown.number} {shown.name}\n", f"{shown.purpose.capitalize()}.\n"]
    if wanted:
        lines.append("```\n" + "\n".join(map(flow_text, wanted)) + "\n```\n")
        lines += _explained(wanted)
    lines.append(f"No flow takes the packet: {_miss(shown)}.\n")
    lines.append("The switch prints these as:\n")
    lines.append("```\n" + "\n".join(dump_lines(shown.number)) + "\n```\n")
    return "\n".join(lines)


def _explained(shown: list[Flow]) -> Iterator[str]:
    numbered = list(enumerate(shown, start=1))
    for key, found in groupby(numbered, key=lambda pair: _kind(pair[1])):
        places = [place for place, _ in found]
        name = table_name(key[0])
        meaning = MEANINGS[name, key[1], key[2]]
        yield f"- {_numbered(places)} for {meaning}"
    yield ""


def _numbered(places: list[int]) -> str:
    if len(places) == 1:
        return f"Flow {places[0]} is"
    return f"Flows {places[0]} {'and' if len(places) == 2 else 'to'} {places[-1]} are"


def _kind(flow: Flow) -> tuple[int, int, Kind]:
    parts = cookies.read(flow.cookie)
    if parts is None:
        raise ValueError(f"{flow_text(flow)} carries no cookie of ours")
    return flow.table, flow.priority, parts.kind


def _miss(shown: Table) -> str:
    becomes = "dropped" if shown.miss == tables.DROP else f"goes on in `{shown.miss}`"
    return f"the controller is told; {becomes}" if shown.tells else becomes


def _where(named: Subfield) -> str:
    return f"`{named.field}{named.bounds}`"


def _edges(flow: Flow, rules: Rules) -> Iterator[str]:
    here = table_name(flow.table)
    if not flow.actions:
        yield f"  {here} -- {_why(flow)} --> drop([drop])"
    for action in flow.actions:
        for word, there in _targets(action, rules):
            yield f"  {here} -- {word if flow.priority else 'miss'} --> {there}"


def _why(flow: Flow) -> str:
    return "drop" if flow.priority else "miss"


def _targets(action: Action, rules: Rules) -> Iterator[tuple[str, str]]:
    match action:
        case Goto(number):
            yield "goto", table_name(number)
        case Resubmit(number):
            yield "resubmit", table_name(number)
        case Ct(table=int(number)):
            yield "ct", table_name(number)
        case ToGroup(number):
            chosen = next(each for each in rules.groups if each.group_id == number)
            inner = {
                table_name(step.table)
                for bucket in chosen.buckets
                for step in bucket.actions
                if isinstance(step, Resubmit)
            }
            for there in sorted(inner or {_OUT}):
                yield "group", there
        case Output(port):
            word = RESERVED_PORTS.get(port, "port")
            ends = {
                "IN_PORT": "back([back out of the port])",
                "CONTROLLER": "controller([to the controller])",
            }
            yield "reply" if word == "IN_PORT" else "output", ends.get(word, _OUT)
        case OutputField():
            yield "output", _OUT


def _shortened(group: Group) -> str:
    text = group_text(replace(group, buckets=group.buckets[:_SHOWN_BUCKETS]))
    more = f",… {len(group.buckets) - _SHOWN_BUCKETS} more buckets"
    return text.replace(" # ", f"{more} # ")
