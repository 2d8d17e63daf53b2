"""What `ovs-appctl ofproto/trace` prints, read: the flows that took a packet, table by table.

Pure: text in, values out. Must not know: how a switch is asked, what a flow is for.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Final

_LOOKUP: Final = re.compile(
    r"(\d{1,3})\. (?:No match\.|(?:(.*), )?priority (\d{1,5})(?:, cookie (0x[0-9a-f]{1,16}))?)"
)
_RESUMED: Final = re.compile(r"recirc\(0x[0-9a-f]+\) - (.*)")
_BRIDGE: Final = re.compile(r'bridge\("(.*)"\)')
_LEFT_OUT: Final = ("Flow: ", "Final flow: ", "Megaflow: ", "Resuming from table", "---", "===")
_DATAPATH: Final = "Datapath actions: "
_NOTE: Final = "-> "


@dataclass(frozen=True, slots=True)
class Step:
    """One table: the flow that took the packet. priority: None where none did; notes: what the
    switch says of its actions, such as the bucket that it chose."""

    bridge: str
    table: int
    match: str = ""
    priority: int | None = None
    cookie: int = 0
    actions: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()

    @property
    def flow(self) -> str:
        """The flow's key and cookie, as a line of dump-flows."""
        match = f",{self.match}" if self.match else ""
        return (
            f"cookie={self.cookie:#x}, table={self.table}, priority={self.priority}{match} "
            "actions=drop"
        )


@dataclass(frozen=True, slots=True)
class Pass:
    """From the packet's entry, or from where conntrack gives it back, to the end. why: it came
    again, empty of the first; datapath: what is done to the packet then; remarks: of the switch."""

    why: str = ""
    steps: tuple[Step, ...] = ()
    datapath: str = ""
    remarks: tuple[str, ...] = ()


@dataclass
class _Reading:
    """What was read so far."""

    passes: list[Pass] = field(default_factory=lambda: [Pass()])
    bridge: str = ""

    def change(self, **fields: object) -> None:
        self.passes[-1] = replace(self.passes[-1], **fields)  # type: ignore[arg-type]

    def add_step(self, step: Step) -> None:
        self.change(steps=(*self.passes[-1].steps, step))

    def change_step(self, **fields: tuple[str, ...]) -> None:
        """Of the last step; lines before the first are left out."""
        *others, last = self.passes[-1].steps or (None,)
        if last is not None:
            self.change(steps=(*others, replace(last, **fields)))  # type: ignore[arg-type]

    @property
    def last(self) -> Step | None:
        return next(reversed(self.passes[-1].steps), None)


def read_trace(text: str) -> tuple[Pass, ...]:
    """The passes of a packet through a switch."""
    reading = _Reading()
    for line in text.splitlines():
        _read_line(line.strip(), reading)
    return tuple(reading.passes)


def _read_line(line: str, reading: _Reading) -> None:
    bridge, resumed, lookup = (pattern.fullmatch(line) for pattern in (_BRIDGE, _RESUMED, _LOOKUP))
    if bridge:
        reading.bridge = bridge[1]
    elif resumed:
        reading.passes.append(Pass(resumed[1]))
    elif lookup:
        reading.add_step(_step(lookup, reading.bridge))
    elif line.startswith(_DATAPATH):
        reading.change(datapath=line.removeprefix(_DATAPATH))
    elif reading.passes[-1].datapath and line and not line.startswith(_LEFT_OUT):
        reading.change(remarks=(*reading.passes[-1].remarks, line.removeprefix("- ")))
    elif line and line != "thaw" and not line.startswith(_LEFT_OUT):
        _read_action(line, reading)


def _step(lookup: re.Match[str], bridge: str) -> Step:
    table, match, priority, cookie = lookup.groups()
    if priority is None:
        return Step(bridge, int(table))
    return Step(bridge, int(table), match or "", int(priority), int(cookie or "0", 16))


def _read_action(line: str, reading: _Reading) -> None:
    last = reading.last
    if last is None:
        return
    if line.startswith(_NOTE):
        reading.change_step(notes=(*last.notes, line.removeprefix(_NOTE)))
    else:
        reading.change_step(actions=(*last.actions, line))


def ports_of(passes: Sequence[Pass]) -> list[str]:
    """The datapath's ports that the packet leaves by, as the actions name them."""
    actions = [each for one in passes for each in _split(one.datapath)]
    return [each for each in actions if re.fullmatch(r"\d+", each)]


def _split(actions: str) -> list[str]:
    """Actions without what is in brackets, as in "ct(zone=1),2" -> ["ct", "2"]."""
    bare, before = actions, ""
    while bare != before:
        bare, before = re.sub(r"\([^()]*\)", "", bare), bare
    return bare.split(",")
