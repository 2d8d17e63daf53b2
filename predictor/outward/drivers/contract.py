"""What every driver can do, and which one a service's target names.

Must not know: any platform, plans, requests.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, Protocol

from nib.errors import FieldError, NibError

KNATIVE: Final = "knative"
KUBERNETES: Final = "kubernetes"
PROCESS: Final = "process"

FORMS: Final[Mapping[str, str]] = {
    KNATIVE: "NAMESPACE/SERVICE",
    KUBERNETES: "NAMESPACE/deployment/NAME",
    PROCESS: "NAME",
}


@dataclass(frozen=True, slots=True)
class Target:
    """Who starts a service's containers, as `Scaling.target` says it: "KIND:PART/PART"."""

    kind: str
    path: tuple[str, ...]

    def __str__(self) -> str:
        return f"{self.kind}:{'/'.join(self.path)}"


def parse_target(text: str) -> Target:
    """The target that a text names; FieldError names the field `target` and the forms there are."""
    kind, colon, rest = text.partition(":")
    form = FORMS.get(kind) if colon else None
    path = tuple(rest.split("/"))
    if form is None or len(path) != form.count("/") + 1 or not all(path):
        forms = " or ".join(f"{each}:{shape}" for each, shape in FORMS.items())
        raise FieldError("target", f"{text!r} is none", f"give {forms}")
    return Target(kind, path)


class DriverError(NibError):
    """A driver could not do what was asked of it. passing: trying again may help."""

    def __init__(self, message: str, remedy: str, *, passing: bool) -> None:
        super().__init__(f"{message}; {remedy}")
        self.message = message
        self.remedy = remedy
        self.passing = passing


class Driver(Protocol):
    """Starts and stops containers. Each call may be made again, and raises DriverError."""

    async def scale(self, target: Target, containers: int) -> None:
        """See that there are so many, or will be: it does not wait until they are ready."""

    async def release(self, target: Target) -> None:
        """Give control back to whoever had it."""

    async def close(self) -> None:
        """End what is only there while this process is."""
