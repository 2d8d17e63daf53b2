"""REST: switches, their state, and what a read-back finds on them; the state of the whole."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from typing import Annotated

from fastapi import APIRouter, Query, status
from pydantic import BaseModel, Field

from gateway_lb.answers import DemandOut, State, demand_list
from gateway_lb.balance import service_standings
from gateway_lb.committing import now_ms
from gateway_lb.verdicts import DRAINING, READY, STATES, UNPLACED, WARMING
from nib.acknowledgement import NotReadBack, switches_behind
from nib.database import Nib
from nib.draft import Draft
from nib.errors import Conflict
from nib.mirror import Lookups
from nib.observed import Demand, Ejected
from nib.records import Audit, Leader, Port, Service, Switch


class PortOut(BaseModel):
    """One port of a switch."""

    name: str
    number: int = Field(description="OpenFlow port number")
    up: bool
    speed_bps: int
    iface_id: str | None


class SwitchOut(BaseModel):
    """One switch (an Open vSwitch bridge)."""

    dpid: str = Field(description="datapath id, 16 hexadecimal digits")
    name: str
    connected: bool
    applied: int = Field(description="the newest change it acknowledged")
    problem: str = Field(description="why it does not hold what is wanted; empty if it does")
    ct_zone: int
    ports: list[PortOut]


class SwitchList(BaseModel):
    """All switches that ever connected, by datapath id."""

    items: list[SwitchOut]


class DiffOut(BaseModel):
    """A switch read back, against what is wanted."""

    switch: str
    missing: int = Field(description="wanted flows and groups that the switch lacks")
    alien: int = Field(description="flows and groups on the switch that nobody wants")
    lines: list[str] = Field(description="each of them, 200 at most")


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
    services: int
    containers_ready: int = Field(description="that take new connections, warming ones included")
    containers_draining: int
    containers_not_placed: int = Field(description="no switch reports their port")
    containers: dict[State, int] = Field(description="by state, where there are any")
    services_without_containers: list[str] = Field(description="nobody takes new connections")
    ejected: list[EjectedOut]
    demand: list[DemandOut] = Field(description="services wanted while they had no container")
    switches: list[SwitchOut]
    behind: list[str] = Field(description="switches that have not acknowledged that change")


def router(nib: Nib) -> APIRouter:
    """The routes, on a connected database."""
    routes = APIRouter(prefix="/v1", tags=["switches"])

    @routes.get("/status", tags=["status"])
    def get_status() -> StatusOut:
        """The state of the whole: counts, switches, and which of them are behind."""
        with nib.view() as view:
            return status_out(view, now_ms())

    @routes.get("/switches")
    def list_switches() -> SwitchList:
        """All switches that ever connected, with their ports."""
        with nib.view() as view:
            return SwitchList(items=_switches(view))

    @routes.get("/switches/{dpid}")
    def get_switch(dpid: str) -> SwitchOut:
        """One switch with its ports."""
        with nib.view() as view:
            return switch_out(view.need(Switch, dpid), view)

    @routes.delete("/switches/{dpid}", status_code=status.HTTP_204_NO_CONTENT)
    async def forget_switch(dpid: str) -> None:
        """Forget a switch that is gone for good; while it is known, `?wait=applied` awaits it."""
        await asyncio.wrap_future(nib.write(_forgotten(dpid)))

    @routes.post("/switches/{dpid}/diff")
    async def diff_switch(
        dpid: str, timeout: Annotated[float, Query(gt=0, le=300)] = 30
    ) -> DiffOut:
        """Have the controller read the switch back, and return what is missing and alien."""
        asked = await asyncio.wrap_future(nib.write(_audit_requested(dpid)))
        done = nib.when(lambda view: _finished(view, dpid) >= asked.value)
        try:
            await asyncio.wait_for(asyncio.wrap_future(done), timeout)
        except TimeoutError:
            raise NotReadBack(dpid, timeout) from None
        with nib.view() as view:
            found = view.need(Audit, dpid)
        return DiffOut(
            switch=dpid, missing=found.missing, alien=found.alien, lines=sorted(found.lines)
        )

    return routes


def status_out(view: Lookups, now_ms: int) -> StatusOut:
    """The state of the whole, from a view of the database at a time."""
    standings = {
        service.name: service_standings(service.name, view, now_ms) for service in view.all(Service)
    }
    states = Counter(each.state for service in standings.values() for each in service.items)
    leader = view.get(Leader, ())
    return StatusOut(
        generation=view.generation,
        leader=leader.controller if leader else None,
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
        switches=_switches(view),
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


def switch_out(switch: Switch, view: Lookups) -> SwitchOut:
    """A switch with its ports."""
    ports = sorted(view.ports_of(switch.dpid), key=lambda port: port.number)
    return SwitchOut(
        dpid=switch.dpid,
        name=switch.name,
        connected=switch.connected,
        applied=switch.applied,
        problem=switch.problem,
        ct_zone=switch.ct_zone,
        ports=[
            PortOut(
                name=port.name,
                number=port.number,
                up=port.up,
                speed_bps=port.speed_bps,
                iface_id=port.iface_id,
            )
            for port in ports
        ],
    )


def _switches(view: Lookups) -> list[SwitchOut]:
    return [switch_out(each, view) for each in sorted(view.all(Switch), key=lambda s: s.dpid)]


def _finished(view: Lookups, dpid: str) -> int:
    row = view.get(Audit, dpid)
    return row.finished if row else 0


def _audit_requested(dpid: str) -> Callable[[Draft], int]:
    """Ask for a read-back; returns the request's number."""

    def change(draft: Draft) -> int:
        switch = draft.need(Switch, dpid)
        if not switch.connected:
            raise Conflict("dpid", f"switch {dpid} is not connected", "connect it, then ask again")
        known = draft.get(Audit, dpid) or Audit(dpid)
        return draft.put(replace(known, requested=known.requested + 1)).requested

    return change


def _forgotten(dpid: str) -> Callable[[Draft], None]:
    """Delete a switch and what was known of it."""

    def change(draft: Draft) -> None:
        if draft.need(Switch, dpid).connected:
            raise Conflict("dpid", f"switch {dpid} is connected", "take its controller away first")
        for port in draft.ports_of(dpid):
            draft.delete(Port, port.key)
        if draft.get(Audit, dpid):
            draft.delete(Audit, dpid)
        draft.delete(Switch, dpid)

    return change
