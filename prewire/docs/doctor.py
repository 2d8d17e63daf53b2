"""Generated documentation of what the doctor finds.

Must not know: how anything is found.
"""

from __future__ import annotations

from typing import Final

from prewire.docs.interfaces import table
from prewire.doctor.findings import CODES

_ROOMS: Final = {
    "QOS": "Queues",
    "MTR": "Meters",
    "POL": "Policies",
    "FLW": "Rules in switches",
    "SWT": "Switches",
    "OVS": "Open vSwitch",
    "NET": "Packets on their way",
}


class _Placeholders(dict[str, str]):
    """Names in a remedy, in capitals."""

    def __missing__(self, name: str) -> str:
        return name.upper()


def codes() -> str:
    """Every code, by what it is about."""
    sections = []
    for prefix, heading in _ROOMS.items():
        rows = (
            (
                f"`{each.name}`",
                each.severity,
                each.meaning,
                each.cause,
                each.remedy.format_map(_Placeholders()),
            )
            for each in CODES.values()
            if each.name.startswith(prefix)
        )
        headings = ("code", "severity", "what is wrong", "why", "what helps")
        sections.append(f"### {heading}\n\n{table(headings, rows)}")
    return "\n".join(sections)
