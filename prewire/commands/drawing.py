"""A fabric drawn from what the REST server answers: as text, and in the DOT language of Graphviz.

Pure: a JSON object in, lines out.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from itertools import groupby
from typing import Any

from prewire.commands.rows import rate_or

Json = Mapping[str, Any]


def as_text(fabric: Json) -> list[str]:
    """The layers from the farthest from the stations to the nearest, a line for each switch."""
    names = _names(fabric["switches"])
    width = max(map(len, names.values()), default=0)
    ordered = sorted(fabric["switches"], key=_from_the_top)
    lines: list[str] = []
    for layer, switches in groupby(ordered, key=lambda switch: switch["layer"]):
        lines.append("no link to stations" if layer is None else f"layer {layer}")
        lines += [f"  {_line(each, names, fabric['links'], width)}" for each in switches]
    lines += [f"problem: {_ends(link, names)}: {link['problem']}" for link in _broken(fabric)]
    lines += [
        f"problem: {names[each['dpid']]}: {each['problem']}"
        for each in fabric["switches"]
        if each["problem"]
    ]
    return lines


def as_dot(fabric: Json) -> list[str]:
    """An undirected graph; what carries no traffic is dashed."""
    names = _names(fabric["switches"])
    lines = ["graph fabric {", "  rankdir=TB;", "  node [shape=box];"]
    for each in fabric["switches"]:
        label = _quoted(f"{names[each['dpid']]}\n{each['stations']} stations")
        style = "" if each["connected"] else ", style=dashed"
        lines.append(f"  {_quoted(each['dpid'])} [label={label}{style}];")
    for _, layer in groupby(sorted(fabric["switches"], key=_from_the_top), lambda s: s["layer"]):
        lines.append(
            f"  {{ rank=same; {' '.join(_quoted(each['dpid']) + ';' for each in layer)} }}"
        )
    lines += [f"  {_edge(link)};" for link in fabric["links"]]
    return [*lines, "}"]


def _edge(link: Json) -> str:
    ends = f"{_quoted(link['switch'])} -- {_quoted(link['peer'])}"
    said = f"taillabel={_quoted(link['port'])}, headlabel={_quoted(link['peer_port'])}"
    style = ", style=dashed" if link["problem"] else ""
    return f"{ends} [label={_quoted(rate_or(link['capacity_bps'], ''))}, {said}{style}]"


def _from_the_top(switch: Json) -> tuple[int, str, str]:
    """Far layers first; switches that no link leads from come last."""
    layer = switch["layer"]
    return (1 if layer is None else -layer, switch["name"], switch["dpid"])


def _line(switch: Json, names: Mapping[str, str], links: Iterable[Json], width: int) -> str:
    peers = sorted(_peers(switch["dpid"], names, links).items())
    to = ", ".join(f"{peer} x{count}" if count > 1 else peer for peer, count in peers)
    stations = switch["stations"]
    parts = [f"to {to}" if to else "no links"]
    parts += [f"{stations} station{'s' if stations > 1 else ''}"] if stations else []
    parts += [] if switch["connected"] else ["not connected"]
    return f"{names[switch['dpid']]:{width}}  {'; '.join(parts)}"


def _peers(dpid: str, names: Mapping[str, str], links: Iterable[Json]) -> Counter[str]:
    """How many links lead to each peer; those that carry nothing are told apart."""
    ends = ("switch", "peer")
    found: Counter[str] = Counter()
    for link in links:
        for near, far in (ends, ends[::-1]):
            if link[near] == dpid:
                broken = " (broken)" if link["problem"] else ""
                found[f"{names.get(link[far], link[far])}{broken}"] += 1
    return found


def _broken(fabric: Json) -> Iterator[Json]:
    return (link for link in fabric["links"] if link["problem"])


def _ends(link: Json, names: Mapping[str, str]) -> str:
    here, there = (names.get(link[end], link[end]) for end in ("switch", "peer"))
    return f"{here} {link['port']} - {there} {link['peer_port']}"


def _names(switches: Iterable[Json]) -> dict[str, str]:
    """What each switch is called: by its name where no other has it, else by its datapath id."""
    how_many = Counter(each["name"] for each in switches)
    return {
        each["dpid"]: each["name"] if each["name"] and how_many[each["name"]] == 1 else each["dpid"]
        for each in switches
    }


def _quoted(text: str) -> str:
    return json.dumps(text, ensure_ascii=False)
