"""What REST takes: classes, policies and rates of links as their owners state them.

Owns: the JSON objects of requests, and turning them into records. A model checks shape and types,
`nib.stating` reads rates, and what a value may be its record checks.

Must not know: the database, answers.
"""

from __future__ import annotations

from typing import Any, Final

from pydantic import ConfigDict, Field, StrictStr

from nib.errors import FieldError
from nib.fields import check_name
from nib.qos import LinkRate, Policy, QosClass
from nib.stating import Number, Rate, Stated, rate_in
from qos.classes import PRESETS, TRAFFIC

_NEW: Final = ("dscp", "queue")  # what a class that replaces no built-in one must state


class ClassIn(Stated):
    """A class as its owner states it. What is left out of a built-in class stays as it is."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {"dscp": 34, "queue": 4, "priority": 1, "min_percent": 10, "weight": 4},
                {"max_percent": 30},
            ]
        },
    )

    dscp: Number | None = Field(
        None, description="its mark, 0 to 63, that no other class has; needed of a new class"
    )
    queue: Number | None = Field(
        None, description="its queue, 0 to 15, that no other class has; needed of a new class"
    )
    priority: Number | None = Field(
        None, description="of what a link has to spare, 0 to 7, 0 first; by default 4"
    )
    min_percent: Number | None = Field(
        None, description="of a link's rate, what is kept for it, 1 to 100; by default 5"
    )
    max_percent: Number | None = Field(
        None, description="of a link's rate, at most, 1 to 100; by default 100"
    )
    weight: Number | None = Field(
        None, description="of its policies, where policies share a link, 1 to 100; by default 1"
    )

    def record(self, name: str) -> QosClass:
        """The class's row. FieldError names what is not allowed."""
        known = PRESETS.get(check_name("name", name))
        base = _fields_of(known) if known else {}
        values = base | self.model_dump(exclude_none=True, exclude={"name"})
        for field in _NEW:
            if field not in values:
                raise FieldError(
                    field, "it is missing", f"give {field}: no other class may have it"
                )
        return QosClass(name, **values)


def _fields_of(each: QosClass) -> dict[str, Any]:
    return {name: getattr(each, name) for name in ClassIn.model_fields}


class PolicyIn(Stated):
    """A policy as its owner states it: of what goes from one service to another.

    Replies go the other way and are not spoken of: they have a policy of their own, or none.
    """

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "source": "shop",
                    "destination": "db",
                    "traffic": "sql",
                    "guaranteed_bps": "10M",
                    "max_bps": "50M",
                },
                {"destination": "web", "class": "bulk", "max_pps": 1000, "max_connections": 200},
            ]
        },
    )

    source: StrictStr | None = Field(None, description="the service it comes from; null: anyone")
    destination: StrictStr | None = Field(None, description="the service it goes to; null: anyone")
    qos_class: StrictStr | None = Field(
        None, alias="class", description="its class; by default that of `traffic`, or `default`"
    )
    traffic: StrictStr | None = Field(
        None,
        description="what it carries, for a class and burst that suit it: "
        + ", ".join(f"`{name}`" for name in TRAFFIC),
    )
    guaranteed_bps: Rate | None = Field(
        None, description="bits a second that it can always have, as 10000000 or `10M`"
    )
    max_bps: Rate | None = Field(None, description="bits a second that it may have at most")
    max_pps: Number | None = Field(None, description="packets a second at most, 1 to 100000000")
    max_connections: Number | None = Field(
        None, description="open at a time to the destination, TCP, 1 to 1000000"
    )
    burst_ms: Number | None = Field(
        None, description="what may come at once, ms of the limit, 10 to 10000; by default 1000"
    )

    def record(self, name: str) -> Policy:
        """The policy's row. FieldError names what is not allowed."""
        values: dict[str, Any] = dict(_suited(self.traffic))
        stated = self.model_dump(exclude_none=True, exclude={"traffic", "name"})
        for field in ("guaranteed_bps", "max_bps"):
            if field in stated:
                stated[field] = rate_in(field, stated[field])
        try:
            return Policy(name, **(values | stated))
        except FieldError as error:
            if error.field != "qos_class":
                raise
            raise FieldError("class", error.message, error.remedy) from None


def _suited(traffic: str | None) -> dict[str, Any]:
    """The class and burst for a kind of traffic."""
    if traffic is None:
        return {}
    if traffic not in TRAFFIC:
        raise FieldError(
            "traffic", f"{traffic!r} is unknown", f"use one of {', '.join(TRAFFIC)}, or give class"
        )
    qos_class, burst_ms = TRAFFIC[traffic]
    return {"qos_class": qos_class, "burst_ms": burst_ms}


class LinkRateIn(Stated):
    """What a port can carry outward, as its owner states it."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"bps": "1G"}, {"bps": 100_000_000}]},
    )

    bps: Rate = Field(description="bits a second of whole Ethernet frames, as 10000000 or `10M`")

    def record(self, switch: str, port: str) -> LinkRate:
        """The row, of a datapath id and a port's name. FieldError names what is not allowed."""
        return LinkRate(switch, port, rate_in("bps", self.bps))
