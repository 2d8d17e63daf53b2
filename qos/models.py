"""What REST takes: classes, policies and rates of links as their owners state them.

Owns: the JSON objects of requests, and turning them into records. A model checks shape and types,
`qos.rates` reads rates, and what a value may be its record checks.

Must not know: the database, answers.
"""

from __future__ import annotations

from typing import Annotated, Any, Final

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    PlainValidator,
    StrictInt,
    StrictStr,
    WithJsonSchema,
)
from pydantic_core import PydanticCustomError

from nib.errors import FieldError
from nib.fields import check_name
from nib.qos import LinkRate, Policy, QosClass
from qos.classes import PRESETS, TRAFFIC
from qos.rates import read_rate

Number = StrictInt

_LONGEST: Final = 20  # characters of a rate


def _checked_rate(given: object) -> object:
    """A whole number or a short text; which of them are rates, `rate_in` says."""
    if isinstance(given, bool) or not isinstance(given, int | str):
        raise PydanticCustomError("rate", "a rate is a whole number, or text as in 10M")
    if isinstance(given, str) and len(given) > _LONGEST:
        raise PydanticCustomError("rate", "a rate has at most 20 characters")
    return given


# As one type, so that an error names the field and not the branches of a union.
Rate = Annotated[
    int | str,
    PlainValidator(_checked_rate),
    WithJsonSchema({"anyOf": [{"type": "integer"}, {"type": "string", "maxLength": _LONGEST}]}),
]

_RANGE: Final = "give 1k to 4T bits a second"
_NEW: Final = ("dscp", "queue")  # what a class that replaces no built-in one must state


class _In(BaseModel):
    """No member that is not known; a member may be given by its name alone."""

    model_config = ConfigDict(extra="forbid", validate_by_name=False, validate_by_alias=True)


class ClassIn(_In):
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


class PolicyIn(_In):
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


class LinkRateIn(_In):
    """What a port can carry outward, as its owner states it."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"bps": "1G"}, {"bps": 100_000_000}]},
    )

    bps: Rate = Field(description="bits a second of whole Ethernet frames, as 10000000 or `10M`")

    def record(self, switch: str, port: str) -> LinkRate:
        """The row, of a datapath id and a port's name. FieldError names what is not allowed."""
        return LinkRate(switch, port, rate_in("bps", self.bps))


def rate_in(field: str, given: int | str) -> int:
    """Bits a second. FieldError says what is wrong with a rate, and how to write it."""
    try:
        return read_rate(given)
    except ValueError as error:
        message, _, remedy = str(error).partition("; ")
        raise FieldError(field, message, remedy or _RANGE) from None
