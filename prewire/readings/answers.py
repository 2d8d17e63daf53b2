"""What REST answers of what goes on now.

Must not know: where the numbers come from.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

Kind = Literal["links", "services", "containers", "policies", "queues"]
Rate = Annotated[
    float | None,
    Field(description="a second, between the last two readings; null: not known"),
]
Amount = Annotated[float | None, Field(description="as it is; null: not known, or there is none")]


class LinkReading(BaseModel):
    """What passes one port of a switch, and what can."""

    switch: str = Field(description="datapath id")
    port: str
    transmit_bps: Rate
    receive_bps: Rate
    transmit_dropped_pps: Rate
    receive_dropped_pps: Rate
    rate_bps: Amount
    guaranteed_bps: Amount
    free_bps: Amount


class ServiceReading(BaseModel):
    """What a service is asked for, and works at."""

    service: str
    new_connections_per_s: Rate
    refused_per_s: Rate
    without_container_pps: Rate
    to_bps: Rate
    from_bps: Rate
    inflight: Amount
    panic: bool = Field(description="checks and ejections are not heeded: too few are usable")
    containers: dict[str, int] = Field(description="how many there are, by state")


class ContainerReading(BaseModel):
    """The same of one container."""

    service: str
    container: str
    state: str
    new_connections_per_s: Rate
    to_bps: Rate
    from_bps: Rate
    inflight: Amount
    connections: Amount
    slots: Amount
    weight: Amount = Field(description="part of the service's new connections, 0 to 1")


class PolicyReading(BaseModel):
    """What a policy lets pass and drops, in all switches together."""

    policy: str
    state: str
    offered_bps: Rate
    passed_bps: Rate
    dropped_bps: Rate
    passed_pps: Rate
    dropped_pps: Rate
    limit_bps: Amount = Field(description="what switches let pass, in all; null: it has no limit")
    max_bps: Amount
    guaranteed_bps: Amount
    connections: Amount


class QueueReading(BaseModel):
    """What leaves by one queue of a port."""

    model_config = ConfigDict(serialize_by_alias=True)

    switch: str = Field(description="datapath id")
    port: str
    queue: int
    qos_class: str = Field(alias="class")
    bps: Rate
    pps: Rate
    dropped_pps: Rate


class Readings(BaseModel):
    """What goes on now. Kinds that were not asked for are absent."""

    at_ms: int = Field(description="when it was read, milliseconds since 1970; 0: never yet")
    stale: bool = Field(description="no controller that leads answers: the last that was read")
    failure: str = Field(description="why it is stale; or empty")
    links: list[LinkReading] | None = Field(None, description="every port of every switch")
    services: list[ServiceReading] | None = None
    containers: list[ContainerReading] | None = None
    policies: list[PolicyReading] | None = None
    queues: list[QueueReading] | None = None
