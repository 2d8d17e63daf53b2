"""What requests of REST have in common: the base of their JSON objects, and members that many have.

A model checks shape and types, a record what its values may be.

Must not know: which objects there are.
"""

from __future__ import annotations

from typing import Annotated, Final

from pydantic import BaseModel, ConfigDict, PlainValidator, StrictInt, WithJsonSchema
from pydantic_core import PydanticCustomError

from nib.errors import FieldError
from nib.rates import read_rate

Number = StrictInt

_LONGEST: Final = 20  # characters of a rate
_RANGE: Final = "give 1k to 4T bits a second"


class Stated(BaseModel):
    """No member that is not known; one with an alias is given by that alone."""

    model_config = ConfigDict(extra="forbid", validate_by_name=False, validate_by_alias=True)


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


def rate_in(field: str, given: int | str) -> int:
    """Bits a second. FieldError says what is wrong with a rate, and how to write it."""
    try:
        return read_rate(given)
    except ValueError as error:
        message, _, remedy = str(error).partition("; ")
        raise FieldError(field, message, remedy or _RANGE) from None
