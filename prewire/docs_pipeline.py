"""Generated documentation of the pipeline: tables, registers, and an example intent's flows.

Every flow of the example must have a meaning here: a new kind of flow without one is an error, not
a gap in the page.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace
from itertools import groupby
from typing import Final

from nib.records import Container
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
from prewire import docs_example
from prewire.docs_interfaces import table as markdown_table

_SHOWN_BUCKETS: Final = 3

# (table, priority, kind of owner) -> what the flows there are for.
_MEANINGS: Final[dict[tuple[str, int, Kind], str]] = {
    ("classify", 100, Kind.BASE): "ARP and IPv4 packets: each kind goes to its own table.",
    ("arp", 100, Kind.VIP): (
        "requests for a VIP. The packet itself is turned into the reply and sent back out of the "
        "port it came in by; no controller is asked."
    ),
    ("arp", 100, Kind.HOST): (
        "requests for a container's address: answered likewise, so that a request never floods to "
        "every container."
    ),
    ("conntrack", 100, Kind.SERVICE): (
        "packets from a client to the service. Conntrack looks the connection up in this switch's "
        "zone, and the packet goes on with its state known."
    ),
    ("conntrack", 80, Kind.CONTAINER): (
        "packets from a container's port, which may be replies. Their source is kept in registers "
        "and replaced by the VIP's, because conntrack knows the connection by the VIP."
    ),
    ("conntrack", 60, Kind.VIP): "ping of a VIP: the switch answers it.",
    ("conntrack", 50, Kind.VIP): (
        "whatever else is sent to a VIP and no service takes: it is dropped, never flooded."
    ),
    ("service", 100, Kind.SERVICE): (
        "the first packet of a connection. The service's group chooses a slot, and the slot's "
        "bucket writes the container's number into the register `endpoint`."
    ),
    ("service", 50, Kind.BASE): (
        "packets of established connections, of all services: conntrack remembers the container. "
        "A change of the group therefore never moves a connection."
    ),
    ("remember", 100, Kind.CONTAINER): (
        "committing a new connection: conntrack keeps the container's number, the client's MAC "
        "address and the port it came in by. A draining container keeps its flow, but no bucket "
        "leads here any more."
    ),
    ("endpoint", 100, Kind.CONTAINER): (
        "rewriting the destination to the container. Where the container is behind this switch "
        "the port is known too, and the packet goes to `output`."
    ),
    ("reply", 100, Kind.BASE): (
        "replies that conntrack knows. They return to the client's MAC address, by the port its "
        "packets come in by, from the VIP's MAC address; no MAC learning is needed."
    ),
    ("reply", 50, Kind.BASE): (
        "packets that are no reply of a VIP's connection, as when somebody talks to the "
        "container directly: they get their own source back and are forwarded as ordinary ones."
    ),
    ("output", 100, Kind.BASE): "packets whose port is in the register `out_port`.",
}

# Name of a register or of what conntrack remembers -> what it holds.
_HOLDS: Final = {
    "endpoint": "the container's number, chosen by the group or recalled from conntrack",
    "out_port": "the OpenFlow port the packet leaves by",
    "reply_source": "a container's own address, while its reply is looked up",
    "reply_port": "a container's own port, likewise",
    "client_mac": "the client's MAC address: replies go back to it",
    "client_port": "the OpenFlow port the client's packets come in by: replies leave by it",
    "ct_mark": "the number of the container chosen",
}

# Where ovs-ofctl prints otherwise than we write: the order of ARP fields, and a port's low half,
# which is a whole field by its older name.
_PRINTED: Final = (
    (r"(arp_op=\d+),(arp_tpa=[\d.]+)", r"\2,\1"),
    (r"NXM_OF_IN_PORT\[0\.\.15\]", "NXM_OF_IN_PORT[]"),
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
    rows = ((_where(bits), f"`{name}`", _HOLDS[name]) for name, bits in names.items())
    return markdown_table(("bits", "name in texts", "holds"), rows)


def diagram() -> str:
    """How packets move between tables, from the flows of the example."""
    rules = docs_example.rules()
    lines = ["flowchart TD", "  port([port]) --> classify"]
    ordered = sorted(rules.flows, key=_order)
    lines += dict.fromkeys(line for flow in ordered for line in _edges(flow, rules))
    return "```mermaid\n" + "\n".join(lines) + "\n```"


def flows() -> str:
    """A section for every table with its flows, and the same lines as the switch dumps them."""
    return "\n".join(_section(each) for each in tables.PIPELINE)


def group() -> str:
    """The example's group, its first buckets."""
    (only,) = docs_example.rules().groups
    numbers = ", ".join(
        f"{each.number}" for each in docs_example.records() if isinstance(each, Container)
    )
    return (
        f"```\n{_shortened(only)}\n```\n\n"
        f"The numbers of the containers are {numbers}. The group has {len(only.buckets)} buckets "
        "of equal weight; a bucket's place is its slot. No slot leads to the draining container."
    )


# ------------------------------------------------------------------------------- dump lines


def dump_lines(number: int | None = None) -> list[str]:
    """The example's flows as `ovs-ofctl --no-stats dump-flows` prints them, of one table or all."""
    wanted = sorted(
        (flow for flow in docs_example.rules().flows if number in (None, flow.table)), key=_order
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
    wanted = [flow for flow in docs_example.rules().flows if flow.table == shown.number]
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
        meaning = _MEANINGS[name, key[1], key[2]]
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
    if shown.miss == tables.DROP:
        return "dropped"
    if shown.miss == tables.SWITCH:
        return "forwarded as a learning switch does (NORMAL)"
    return f"goes on in `{shown.miss}`"


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
            for there in sorted(inner):
                yield "group", there
        case Output(port):
            word = RESERVED_PORTS.get(port, "port")
            ends = {"IN_PORT": "back([back out of the port])", "NORMAL": "normal([NORMAL])"}
            yield "reply", ends.get(word, "out([out of a port])")
        case OutputField():
            yield "output", "out([out of a port])"


def _shortened(group: Group) -> str:
    text = group_text(replace(group, buckets=group.buckets[:_SHOWN_BUCKETS]))
    more = f",… {len(group.buckets) - _SHOWN_BUCKETS} more buckets"
    return text.replace(" # ", f"{more} # ")
