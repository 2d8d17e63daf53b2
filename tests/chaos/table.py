"""What was survived, as a table, and what was not, as sentences."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from statistics import median
from typing import Any, Final

BOUND_S: Final = 5.0
"""Within so many seconds of a fault a write is on all switches again."""

_HEADINGS: Final = (
    "fault",
    "times",
    "median s",
    "max s",
    "opened",
    "refused",
    "failed",
    "held",
    "lost",
    "died",
    "writes lost",
)
_SENTENCES_SHOWN: Final = 40


@dataclass(frozen=True, slots=True)
class Survived:
    """One fault and what came of it.

    at_s: since the beginning; recovery_s: until a write was on all switches, None: not in time.
    opened, refused, failed: new connections of clients. held: connections that were open; lost:
    those that broke without a reason; died: those whose container, or whose data path, died.
    writes_lost: acknowledged writes that are not there; wrong: what else is not as it should be.
    """

    fault: str
    at_s: float
    recovery_s: float | None
    opened: int = 0
    refused: int = 0
    failed: int = 0
    held: int = 0
    lost: int = 0
    died: int = 0
    writes_lost: int = 0
    wrong: tuple[str, ...] = ()

    @property
    def violations(self) -> list[str]:
        """Each as a sentence."""
        said = [f"{self.fault}: {each}" for each in self.wrong]
        if self.recovery_s is None:
            said.append(f"{self.fault}: no write reached all switches")
        elif self.recovery_s > BOUND_S:
            said.append(f"{self.fault}: programming took {self.recovery_s:.1f} s to recover")
        if self.lost:
            said.append(f"{self.fault}: {self.lost} of {self.held} held connections were lost")
        if self.writes_lost:
            said.append(f"{self.fault}: {self.writes_lost} acknowledged writes were lost")
        return [f"at {self.at_s:.0f} s, {each}" for each in said]

    def as_line(self) -> str:
        """For who watches."""
        took = "never" if self.recovery_s is None else f"{self.recovery_s:5.2f} s"
        failed = self.refused + self.failed
        broken = f"{self.lost} lost, {self.died} died" if self.lost or self.died else "all kept"
        return (
            f"{self.at_s:6.0f} s  {self.fault:34} recovered in {took}; "
            f"new connections {self.opened} opened, {failed} not; of {self.held} held {broken}"
            + ("" if not self.violations else "  VIOLATED")
        )


@dataclass(slots=True)
class Verdict:
    """Of a whole run: every fault, and what was found at the end. totals: by name."""

    seed: int
    faults: list[Survived] = field(default_factory=list)
    at_the_end: list[str] = field(default_factory=list)
    totals: dict[str, Any] = field(default_factory=dict)

    @property
    def violations(self) -> list[str]:
        """Everything that went wrong; nothing: the run is passed."""
        return [said for each in self.faults for said in each.violations] + [
            f"at the end, {each}" for each in self.at_the_end
        ]

    def rows(self) -> list[tuple[str, ...]]:
        """One for each kind of fault, in the order of the alphabet."""
        kinds = sorted({each.fault for each in self.faults})
        return [_row(kind, [one for one in self.faults if one.fault == kind]) for kind in kinds]

    def as_text(self) -> str:
        """The table, totals and violations."""
        rows = [_HEADINGS, *self.rows()]
        if len(self.faults) > 1:
            rows.append(_row("all", self.faults))
        widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
        lines = [
            "  ".join(
                cell.rjust(width) if place else cell.ljust(width)
                for place, (cell, width) in enumerate(zip(row, widths, strict=True))
            )
            for row in rows
        ]
        lines += ["", *(f"{name}: {value}" for name, value in self.totals.items())]
        wrong = self.violations
        lines += [f"VIOLATED: {each}" for each in wrong[:_SENTENCES_SHOWN]]
        if len(wrong) > _SENTENCES_SHOWN:
            lines.append(f"and {len(wrong) - _SENTENCES_SHOWN} more")
        survived = len(self.faults) - sum(bool(each.violations) for each in self.faults)
        lines.append(f"seed {self.seed}: {survived} of {len(self.faults)} faults survived")
        return "\n".join(lines)

    def as_json(self) -> dict[str, Any]:
        """Everything, with the raw values."""
        return {
            "seed": self.seed,
            "bound_s": BOUND_S,
            "faults": [asdict(each) for each in self.faults],
            "at_the_end": self.at_the_end,
            "totals": self.totals,
            "violations": self.violations,
        }


def _row(name: str, faults: Sequence[Survived]) -> tuple[str, ...]:
    took = [each.recovery_s for each in faults if each.recovery_s is not None]
    never = len(took) < len(faults)
    sums = [
        sum(values)
        for values in zip(
            *((e.opened, e.refused, e.failed, e.held, e.lost, e.died) for e in faults), strict=True
        )
    ]
    return (
        name,
        str(len(faults)),
        f"{median(took):.2f}" if took else "-",
        "never" if never else f"{max(took):.2f}",
        *map(str, sums),
        str(sum(each.writes_lost for each in faults)),
    )
