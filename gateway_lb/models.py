"""What REST takes: services, containers and reports as their owners state them.

Owns: the JSON objects of requests, and turning them into records and registrations. A model checks
shape and types; what a value may be, its record checks.

Must not know: the database, answers.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, StrictInt, StrictStr

from gateway_lb.intent import Registration
from gateway_lb.reports import MAX_ITEMS, Item
from nib.intent import Service
from nib.policy import Canary, Ejection, ExtraPort, HealthCheck

Number = StrictInt
_HEALTH = HealthCheck()
_EJECTION = Ejection()


class _In(BaseModel):
    """No member that is not known."""

    model_config = ConfigDict(extra="forbid")


class ExtraPortSpec(_In):
    """A further port of a service; every container answers it at `target`."""

    port: Number = Field(description="port that clients connect to, 1 to 65535")
    target: Number = Field(description="port of every container, 1 to 65535")
    protocol: Literal["tcp", "udp"] = "tcp"


class HealthSpec(_In):
    """An active check of every container, made from the switch it is behind."""

    kind: Literal["tcp", "http", "grpc"] = "tcp"
    port: Number | None = Field(None, description="port asked; the container's own by default")
    path: StrictStr = Field(_HEALTH.path, description="asked for by GET (http)")
    status_from: Number = Field(_HEALTH.status_from, description="lowest good status (http)")
    status_to: Number = Field(_HEALTH.status_to, description="highest good status (http)")
    grpc_service: StrictStr = Field(
        _HEALTH.grpc_service, description="service asked of grpc.health.v1 (grpc)"
    )
    interval_ms: Number = Field(_HEALTH.interval_ms, description="between checks, 50 to 3600000")
    timeout_ms: Number = Field(_HEALTH.timeout_ms, description="of one check, 10 to 60000")
    rise: Number = Field(_HEALTH.rise, description="successes in a row that make it up, 1 to 100")
    fall: Number = Field(_HEALTH.fall, description="failures in a row that make it down, 1 to 100")


class EjectionSpec(_In):
    """Passive ejection: a container whose connections fail (reset, or SYNs not answered) is left
    out for a while."""

    failure_percent: Number = Field(
        _EJECTION.failure_percent, description="of a window's new connections, 1 to 100"
    )
    min_connections: Number = Field(
        _EJECTION.min_connections, description="fewer in a window say nothing, 1 to 1000000"
    )
    window_ms: Number = Field(_EJECTION.window_ms, description="200 to 60000")
    eject_ms: Number = Field(
        _EJECTION.eject_ms, description="times the ejections in a row, 100 to 3600000"
    )
    max_ejected_percent: Number = Field(
        _EJECTION.max_ejected_percent, description="of the containers at a time, 1 to 100"
    )


class CanaryIn(_In):
    """A version's share of new connections, grown in steps from when it is stated or changed."""

    version: StrictStr = Field(description="the containers' `version`")
    percent: Number = Field(description="its share in the end, 0 to 100")
    step_percent: Number = Field(0, description="added every step; 0: the whole at once")
    step_ms: Number = Field(60_000, description="100 to 86400000")


class ServiceIn(_In):
    """A service as its owner states it."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={
            "examples": [
                {"vip": "10.0.0.100", "port": 80, "protocol": "tcp"},
                {
                    "vip": "10.0.0.100",
                    "port": 80,
                    "policy": "least_inflight",
                    "health": {"kind": "http", "path": "/ready", "interval_ms": 300},
                    "canary": {"version": "v2", "percent": 50, "step_percent": 5},
                },
            ]
        },
    )

    vip: StrictStr = Field(description="virtual IP address that clients connect to")
    port: Number = Field(description="port that clients connect to, 1 to 65535")
    protocol: Literal["tcp", "udp"] = "tcp"
    extra_ports: list[ExtraPortSpec] = Field(
        default_factory=list, description="further ports, 15 at most"
    )
    mode: Literal["stateful", "stateless"] = Field(
        "stateful", description="`stateless`: no conntrack, no affinity when slots move"
    )
    policy: Literal["weighted", "least_inflight", "source_affinity"] = Field(
        "weighted", description="how slots are shared"
    )
    affinity_seconds: Number = Field(
        0, description="how long a client's slot stays with its container (source_affinity)"
    )
    on_empty: Literal["reject", "hold"] = Field(
        "reject", description="a new connection where no container takes it is reset, or waits"
    )
    max_connections: Number | None = Field(
        None, description="of the service at a time, 1 to 1000000; null: no cap"
    )
    slow_start_seconds: Number = Field(
        0, description="in which a new container's share grows, 0 to 86400"
    )
    panic_percent: Number = Field(
        0, description="with a smaller part of the containers usable, all are used; 0: never"
    )
    locality: Literal["none", "prefer"] = Field(
        "none",
        description="`prefer`: clients get the containers of their switch while one can take more",
    )
    switches: list[StrictStr] = Field(
        default_factory=list,
        description="that clients enter by, bridge names or datapath ids; none: every switch",
    )
    health: HealthSpec | None = Field(None, description="active checks; null: none")
    ejection: EjectionSpec | None = Field(None, description="passive ejection; null: none")
    canary: CanaryIn | None = Field(None, description="a version's share; null: by weights alone")

    def record(self, name: str) -> Service:
        """The service's row, its switches as they were called (`intent.stated`). FieldError names
        what is not allowed."""
        parts = {"extra_ports", "switches", "health", "ejection", "canary"}
        given = self.model_dump(exclude=parts | {"name"})
        return Service(
            name,
            **given,
            extra_ports=tuple(ExtraPort(**each.model_dump()) for each in self.extra_ports),
            switches=tuple(self.switches),
            health=HealthCheck(**self.health.model_dump()) if self.health else None,
            ejection=Ejection(**self.ejection.model_dump()) if self.ejection else None,
            canary=Canary(**self.canary.model_dump(exclude={"started_ms"}))
            if self.canary
            else None,
        )


class ContainerIn(_In):
    """A container as it registers itself. Where it is: switch and switch_port, or iface_id."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={
            "examples": [
                {"address": "10.0.0.11", "port": 8080, "iface_id": "web-1", "lease_seconds": 30},
                {
                    "address": "10.0.0.11",
                    "port": 8080,
                    "mac": "02:00:00:00:00:11",
                    "switch": "br0",
                    "switch_port": "veth1",
                },
            ]
        },
    )

    address: StrictStr = Field(description="the container's own IP address, of the VIP's family")
    port: Number = Field(description="port it listens on, 1 to 65535")
    mac: StrictStr | None = Field(None, description="by default the port's attached-mac")
    switch: StrictStr | None = Field(None, description="bridge name or datapath id")
    switch_port: StrictStr | None = Field(None, description="port name or OpenFlow number")
    iface_id: StrictStr | None = Field(None, description="external_ids:iface-id of its interface")
    weight: Number = Field(1, description="its share relative to its siblings', 0 to 256")
    version: StrictStr | None = Field(None, description="of its software, for canaries")
    max_inflight: Number | None = Field(
        None, description="requests it works at in parallel; at this no new connection"
    )
    max_connections: Number | None = Field(
        None, description="connections it may ever have at a time; null: no cap"
    )
    lease_seconds: Number | None = Field(
        None, description="drained unless renewed within, 1 to 86400; null: no lease"
    )

    def registration(self, service: str, container_id: str) -> Registration:
        """What `intent.put_container` takes."""
        return Registration(service, container_id, **self.model_dump())


class ReportIn(_In):
    """What a container, or the gateway for it, reports: words, in-flight requests, or both."""

    model_config = ConfigDict(
        extra="forbid", json_schema_extra={"examples": [{"words": "ready 50%", "inflight": 7}]}
    )

    words: StrictStr = Field(
        "", description="HAProxy's agent-check words, as in `ready 50% maxconn:30`"
    )
    inflight: Number | None = Field(None, description="requests it works at now")

    def item(self, service: str, container_id: str) -> Item:
        """What the inbox takes."""
        return Item(service, container_id, self.words, self.inflight)


class ReportItemIn(ReportIn):
    """One report of many."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={
            "examples": [
                {"service": "web", "container": "web-1", "words": "ready 50%", "inflight": 7}
            ]
        },
    )

    service: StrictStr
    container: StrictStr


class ReportsIn(_In):
    """Reports of many containers."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={
            "examples": [
                {
                    "reports": [
                        {"service": "web", "container": "web-1", "words": "ready 50%"},
                        {"service": "web", "container": "web-2", "inflight": 7},
                    ]
                }
            ]
        },
    )

    reports: Annotated[list[ReportItemIn], Field(max_length=MAX_ITEMS)]
