"""REST: switches, their state, and what a read-back finds on them; the state of the whole."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import replace
from typing import Annotated

from fastapi import APIRouter, Query, status
from pydantic import BaseModel, Field

from gateway_lb.lifecycle import is_ready
from gateway_lb.placement import port_of
from nib.acknowledgement import NotReadBack, switches_behind
from nib.database import Nib
from nib.draft import Draft
from nib.errors import Conflict
from nib.mirror import Lookups
from nib.records import Audit, Container, Leader, Port, Service, Switch


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


class StatusOut(BaseModel):
    """The state of the whole."""

    generation: int = Field(description="number of the newest change of intent")
    leader: str | None = Field(description="the controller in charge")
    services: int
    containers_ready: int
    containers_draining: int
    containers_not_placed: int = Field(description="ready, but no switch reports their port")
    switches: list[SwitchOut]
    behind: list[str] = Field(description="switches that have not acknowledged that change")


def router(nib: Nib) -> APIRouter:
    """The routes, on a connected database."""
    routes = APIRouter(prefix="/v1", tags=["switches"])

    @routes.get("/status", tags=["status"])
    def get_status() -> StatusOut:
        """The state of the whole: counts, switches, and which of them are behind."""
        with nib.view() as view:
            return status_out(view)

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


def status_out(view: Lookups) -> StatusOut:
    """The state of the whole, from a view of the database."""
    containers = view.all(Container)
    ready = [container for container in containers if is_ready(container)]
    leader = view.get(Leader, ())
    return StatusOut(
        generation=view.generation,
        leader=leader.controller if leader else None,
        services=view.count(Service),
        containers_ready=len(ready),
        containers_draining=len(containers) - len(ready),
        containers_not_placed=sum(port_of(container, view) is None for container in ready),
        switches=_switches(view),
        behind=sorted(switch.dpid for switch in switches_behind(view, view.generation)),
    )


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
