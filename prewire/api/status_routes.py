"""REST: the state of the whole."""

from __future__ import annotations

from collections import Counter

from fastapi import APIRouter
from pydantic import BaseModel, Field

from gateway_lb.answers import DemandOut, State, demand_list
from gateway_lb.balance import service_standings
from gateway_lb.verdicts import DRAINING, READY, STATES, UNPLACED, WARMING
from nib.acknowledgement import switches_behind
from nib.committing import now_ms
from nib.database import Nib
from nib.intent import Service
from nib.mirror import Lookups
from nib.observed import Demand, Ejected
from nib.records import Global, Leader
from prewire.api.switch_routes import SwitchOut, switch_list
from prewire.fabric.links import link_list
from qos.provision import State as PolicyStanding
from ryu_apps.provision import provision


class EjectedOut(BaseModel):
    """A container left out because its connections failed."""

    service: str
    container: str
    until_ms: int = Field(description="milliseconds since 1970")
    reason: str


class StatusOut(BaseModel):
    """The state of the whole."""

    generation: int = Field(description="number of the newest change of intent")
    leader: str | None = Field(description="the controller in charge")
    epoch: int | None = Field(description="the leader's: how often the lead was taken so far")
    database: str | None = Field(description="tells this database from any other; 8 hex digits")
    services: int
    containers_ready: int = Field(description="that take new connections, warming ones included")
    containers_draining: int
    containers_not_placed: int = Field(description="no switch reports their port")
    containers: dict[State, int] = Field(description="by state, where there are any")
    services_without_containers: list[str] = Field(description="nobody takes new connections")
    ejected: list[EjectedOut]
    demand: list[DemandOut] = Field(description="services wanted while they had no container")
    policies: dict[PolicyStanding, int] = Field(description="by state, where there are any")
    policies_short: list[str] = Field(description="links cannot carry their guarantees any more")
    links: int = Field(description="between switches")
    links_with_problem: int = Field(description="that carry no traffic")
    switches: list[SwitchOut]
    behind: list[str] = Field(description="switches that have not acknowledged that change")


def router(nib: Nib) -> APIRouter:
    """The routes, on a connected database."""
    routes = APIRouter(prefix="/v1", tags=["status"])

    @routes.get("/status")
    def get_status() -> StatusOut:
        """The state of the whole: counts, switches, and which of them are behind."""
        with nib.view() as view:
            return status_out(view, now_ms())

    return routes


def status_out(view: Lookups, now_ms: int) -> StatusOut:
    """The state of the whole, from a view of the database at a time."""
    standings = {
        service.name: service_standings(service.name, view, now_ms) for service in view.all(Service)
    }
    states = Counter(each.state for service in standings.values() for each in service.items)
    policies = {each.policy.name: each.state for each in provision(view).policies.values()}
    leader, itself, links = view.get(Leader, ()), view.get(Global, ()), link_list(view).items
    return StatusOut(
        generation=view.generation,
        leader=leader.controller if leader else None,
        epoch=leader.epoch if leader else None,
        database=itself.database or None if itself else None,
        services=len(standings),
        containers_ready=states[READY] + states[WARMING],
        containers_draining=states[DRAINING],
        containers_not_placed=states[UNPLACED],
        containers={state: states[state] for state in STATES if states[state]},
        services_without_containers=sorted(
            name
            for name, service in standings.items()
            if not any(each.weight for each in service.items)
        ),
        ejected=_ejected(view, now_ms),
        demand=demand_list(view.all(Demand)).items,
        policies=dict(Counter(policies.values())),
        policies_short=sorted(name for name, state in policies.items() if state == "short"),
        links=len(links),
        links_with_problem=sum(1 for link in links if link.problem),
        switches=switch_list(view).items,
        behind=sorted(switch.dpid for switch in switches_behind(view, view.generation)),
    )


def _ejected(view: Lookups, now_ms: int) -> list[EjectedOut]:
    rows = sorted(view.all(Ejected), key=lambda row: row.key)
    return [
        EjectedOut(
            service=row.service, container=row.container, until_ms=row.until_ms, reason=row.reason
        )
        for row in rows
        if row.until_ms > now_ms
    ]
