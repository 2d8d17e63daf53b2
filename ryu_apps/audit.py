"""What a read-back says against what is wanted: missing and alien rules, as lines and as repairs.

A switch is read at once where somebody asks, and in slices where it is read by the clock: flows
whose cookies agree in their lowest bits, then groups, then meters. A slice is compared with what
the session believes the switch to hold; while it rests, what of that is ours is what is wanted.

Must not know: connections, time, the database beyond the row that an audit makes.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from nib.records import MAX_AUDIT_LINES, Audit
from openflow.text import flow_text, group_text, meter_text
from ryu_apps.diff import Changes, Desired, Installed, alien_flows, diff, ours
from ryu_apps.link import ReadBackResult

# About so many flows are asked for at once, so that nothing else waits long for the answer.
_SLICE_FLOWS: Final = 256
_MOST_SLICES: Final = 1024


@dataclass(frozen=True, slots=True)
class Findings:
    """What differs, as text. missing: or altered; alien: wanted by nobody, whoever put it there."""

    missing: list[str]
    alien: list[str]

    def row(self, switch: str, request: int) -> Audit:
        """As the database has it. The counts are complete; of the lines the first are kept."""
        lines = [f"missing {text}" for text in self.missing]
        lines += [f"alien {text}" for text in self.alien]
        kept = frozenset(line[:1000] for line in lines[:MAX_AUDIT_LINES])
        return Audit(switch, request, request, len(self.missing), len(self.alien), kept)


def findings(desired: Desired, changes: Changes, result: ReadBackResult) -> Findings:
    """What differs. changes: those that would put it right."""
    missing = [flow_text(flow) for flow in changes.put_flows]
    missing += [group_text(group) for group in (*changes.add_groups, *changes.modify_groups)]
    missing += [meter_text(meter) for meter in (*changes.add_meters, *changes.modify_meters)]
    held = result.installed
    alien = [flow_text(flow) for flow in alien_flows(desired, held)]
    groups, meters = held.groups.items(), held.meters.items()
    alien += [group_text(group) for number, group in groups if number not in desired.groups]
    alien += [meter_text(meter) for number, meter in meters if number not in desired.meters]
    return Findings(missing, alien + result.foreign)


def repaired(changes: Changes) -> tuple[int, int]:
    """How many rules changes put back or put right, and how many they take away."""
    taken = (changes.delete_flows, changes.delete_groups, changes.delete_meters)
    alien = sum(map(len, taken))
    return len(changes) - alien, alien


@dataclass(frozen=True, slots=True)
class Slice:
    """A part of what a switch holds. cookies: mask and value of its flows' cookies."""

    cookies: tuple[int, int] | None = None
    groups: bool = False
    meters: bool = False

    def of(self, held: Installed) -> Installed:
        """The part of all that is held."""
        flows = {}
        if self.cookies is not None:
            mask, value = self.cookies
            every = held.flows.items()
            flows = {key: flow for key, flow in every if flow.cookie & mask == value}
        groups = held.groups if self.groups else {}
        return Installed(flows, groups, held.meters if self.meters else {})


def slices(flows: int) -> list[Slice]:
    """All that a switch holds. flows: about how many of them there are."""
    count = 1
    while count * _SLICE_FLOWS < flows and count < _MOST_SLICES:
        count *= 2
    of_flows = [Slice((count - 1, value)) for value in range(count)]
    return [*of_flows, Slice(groups=True), Slice(meters=True)]


def differs(part: Slice, believed: Installed, reported: Installed) -> bool:
    """Whether a slice of a resting switch has not all that is prewire's, or has more."""
    return len(diff(ours(part.of(believed)), reported)) > 0
