"""What `POST /v1/apply` takes and answers: many objects at once, and what becomes of each.

Must not know: how they are compared, YAML.
"""

from __future__ import annotations

from typing import Any, Final, Literal, TypeAlias

from pydantic import BaseModel, ConfigDict, Field, StrictStr

from gateway_lb.models import ServiceIn
from predictor.routes.models import DependencyIn, OverrideIn, ProvisioningIn, ScalingIn, ScheduleIn
from qos.models import ClassIn, LinkRateIn, PolicyIn

MAX_ITEMS: Final = 10_000

Outcome = Literal["created", "changed", "unchanged", "deleted"]


def _keyed(stated: type[BaseModel], **key: str) -> ConfigDict:
    """The model's first example, with the key that its path has elsewhere."""
    extra: Any = stated.model_config["json_schema_extra"]
    return ConfigDict(json_schema_extra={"examples": [{**key, **extra["examples"][0]}]})


class ServiceItem(ServiceIn):
    """A service by its name."""

    model_config = _keyed(ServiceIn, name="web")

    name: StrictStr


class ClassItem(ClassIn):
    """A class by its name."""

    model_config = _keyed(ClassIn, name="bulk")

    name: StrictStr


class PolicyItem(PolicyIn):
    """A policy by its name."""

    model_config = _keyed(PolicyIn, name="to-db")

    name: StrictStr


class LinkRateItem(LinkRateIn):
    """What a port can carry outward, by its switch and its name."""

    model_config = _keyed(LinkRateIn, switch="br0", port="veth1")

    switch: StrictStr = Field(description="bridge name or datapath id")
    port: StrictStr = Field(description="port name, or OpenFlow number of one that is there")


class ScalingItem(ScalingIn):
    """How a service scales, by its name."""

    model_config = _keyed(ScalingIn, service="web")

    service: StrictStr


class ProvisioningItem(ProvisioningIn):
    """Which rates of a policy follow the forecast, by its name."""

    model_config = _keyed(ProvisioningIn, policy="to-db")

    policy: StrictStr


class ScheduleItem(ScheduleIn):
    """A schedule by its name."""

    model_config = _keyed(ScheduleIn, name="morning")

    name: StrictStr


class OverrideItem(OverrideIn):
    """An operator's word for a while, of a service or policy by its name."""

    model_config = _keyed(OverrideIn, kind="service", name="web")

    kind: Literal["service", "policy"]
    name: StrictStr


class DependencyItem(DependencyIn):
    """An operator's word about a dependency, by its services."""

    model_config = _keyed(DependencyIn, parent="shop", child="db")

    parent: StrictStr
    child: StrictStr


Item: TypeAlias = (
    ServiceItem
    | ClassItem
    | PolicyItem
    | LinkRateItem
    | ScalingItem
    | ProvisioningItem
    | ScheduleItem
    | OverrideItem
    | DependencyItem
)


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
    scalings: list[ScalingItem] | None = Field(None, max_length=MAX_ITEMS)
    provisionings: list[ProvisioningItem] | None = Field(None, max_length=MAX_ITEMS)
    schedules: list[ScheduleItem] | None = Field(None, max_length=MAX_ITEMS)
    overrides: list[OverrideItem] | None = Field(None, max_length=MAX_ITEMS)
    dependencies: list[DependencyItem] | None = Field(
        None, max_length=MAX_ITEMS, description="those that are pinned or banned"
    )


class FieldChange(BaseModel):
    """One field of an object, before and after."""

    field: str
    before: str | None = Field(description="null: it had no value")
    after: str | None = Field(description="null: it has no value")


class ObjectChange(BaseModel):
    """What becomes of one object."""

    kind: Literal[
        "service",
        "class",
        "policy",
        "link_rate",
        "scaling",
        "provisioning",
        "schedule",
        "override",
        "dependency",
    ]
    name: str = Field(
        description="of several parts (datapath id and port, kind and name, parent and child), "
        "joined by a slash"
    )
    outcome: Outcome
    fields: list[FieldChange] = Field(
        description="those that differ; of one that is created, those that are not as by default"
    )


class ApplyOut(BaseModel):
    """What was changed, or would be."""

    dry_run: bool = Field(description="nothing was changed")
    counts: dict[Outcome, int] = Field(description="how many objects by outcome")
    objects: list[ObjectChange] = Field(description="in the order they were given; deleted last")
