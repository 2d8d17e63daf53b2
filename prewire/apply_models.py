"""What `POST /v1/apply` takes and answers: many objects at once, and what becomes of each.

Must not know: how they are compared, YAML.
"""

from __future__ import annotations

from typing import Final, Literal, TypeAlias

from pydantic import BaseModel, ConfigDict, Field, StrictStr

from gateway_lb.models import ServiceIn
from qos.models import ClassIn, LinkRateIn, PolicyIn

MAX_ITEMS: Final = 10_000

Outcome = Literal["created", "changed", "unchanged", "deleted"]


class ServiceItem(ServiceIn):
    """A service by its name."""

    name: StrictStr


class ClassItem(ClassIn):
    """A class by its name."""

    name: StrictStr


class PolicyItem(PolicyIn):
    """A policy by its name."""

    name: StrictStr


class LinkRateItem(LinkRateIn):
    """What a port can carry outward, by its switch and its name."""

    switch: StrictStr = Field(description="bridge name or datapath id")
    port: StrictStr = Field(description="port name, or OpenFlow number of one that is there")


Item: TypeAlias = ServiceItem | ClassItem | PolicyItem | LinkRateItem


class ApplyIn(BaseModel):
    """What is wanted. A kind that is left out, or null, is not spoken of."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={
            "examples": [
                {
                    "services": [{"name": "db", "vip": "10.0.0.100", "port": 5432}],
                    "policies": [
                        {
                            "name": "shop-to-db",
                            "source": "shop",
                            "destination": "db",
                            "traffic": "sql",
                            "guaranteed_bps": "10M",
                        }
                    ],
                }
            ]
        },
    )

    services: list[ServiceItem] | None = Field(None, max_length=MAX_ITEMS)
    classes: list[ClassItem] | None = Field(None, max_length=MAX_ITEMS)
    policies: list[PolicyItem] | None = Field(None, max_length=MAX_ITEMS)
    link_rates: list[LinkRateItem] | None = Field(None, max_length=MAX_ITEMS)


class FieldChange(BaseModel):
    """One field of an object, before and after."""

    field: str
    before: str | None = Field(description="null: it had no value")
    after: str | None = Field(description="null: it has no value")


class ObjectChange(BaseModel):
    """What becomes of one object."""

    kind: Literal["service", "class", "policy", "link_rate"]
    name: str = Field(description="of a rate, datapath id and port, joined by a slash")
    outcome: Outcome
    fields: list[FieldChange] = Field(
        description="those that differ; of one that is created, those that are not as by default"
    )


class ApplyOut(BaseModel):
    """What was changed, or would be."""

    dry_run: bool = Field(description="nothing was changed")
    counts: dict[Outcome, int] = Field(description="how many objects by outcome")
    objects: list[ObjectChange] = Field(description="in the order they were given; deleted last")
