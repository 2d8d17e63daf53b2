"""REST: switches, their ports, and what a read-back finds on them."""

from __future__ import annotations

import asyncio
from typing import Annotated

from fastapi import APIRouter, Query, Response, status
from pydantic import BaseModel, ConfigDict, Field

from nib.acknowledgement import NotReadBack
from nib.committing import commit
from nib.database import Nib
from nib.mirror import Lookups
from nib.paging import ALL, Next, Page, Paging
from nib.records import Audit
from nib.topology import Port, Switch
from prewire.fabric.forgetting import switch_forgotten
from prewire.fabric.read_back import audit_finished, audit_requested
from ryu_apps.routing import fabric_ports


class PortOut(BaseModel):
    """One port of a switch."""

    name: str
    number: int = Field(description="OpenFlow port number")
    up: bool
    speed_bps: int
    iface_id: str | None
    attached_mac: str | None = Field(description="the station that the interface names")
    fabric: bool = Field(description="a link to a switch was seen at it; else it is an edge port")


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
    next: Next = None


class DiffOut(BaseModel):
    """A switch read back, against what is wanted."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "switch": "00000000000000a1",
                    "missing": 1,
                    "alien": 0,
                    "lines": ["missing: table=forward,priority=10,in_port=3 actions=drop"],
                }
            ]
        }
    )

    switch: str
    missing: int = Field(description="wanted flows and groups that the switch lacks")
    alien: int = Field(description="flows and groups on the switch that nobody wants")
    lines: list[str] = Field(description="each of them, 200 at most")


def router(nib: Nib) -> APIRouter:
    """The routes, on a connected database."""
    routes = APIRouter(prefix="/v1/switches", tags=["switches"])
    _add_objects(routes, nib)
    _add_diff(routes, nib)
    return routes


def _add_objects(routes: APIRouter, nib: Nib) -> None:
    @routes.get("")
    def list_switches(page: Paging) -> SwitchList:
        """All switches that ever connected, with their ports."""
        with nib.view() as view:
            return switch_list(view, page)

    @routes.get("/{dpid}")
    def get_switch(dpid: str) -> SwitchOut:
        """One switch with its ports."""
        with nib.view() as view:
            return switch_out(view.need(Switch, dpid), view)

    @routes.delete("/{dpid}", status_code=status.HTTP_204_NO_CONTENT)
    async def forget_switch(dpid: str, response: Response) -> None:
        """Forget a switch that is gone for good, its ports, links and learned hosts; while it is
        known, `?wait=applied` awaits it. Containers registered at it stay, without a place."""
        await commit(nib, switch_forgotten(dpid), response)


def _add_diff(routes: APIRouter, nib: Nib) -> None:
    @routes.post("/{dpid}/diff")
    async def diff_switch(
        dpid: str, timeout: Annotated[float, Query(gt=0, le=300)] = 30
    ) -> DiffOut:
        """Have the controller read the switch back, and return what is missing and alien."""
        asked = await asyncio.wrap_future(nib.write(audit_requested(dpid)))
        done = nib.when(lambda view: audit_finished(view, dpid) >= asked.value)
        try:
            await asyncio.wait_for(asyncio.wrap_future(done), timeout)
        except TimeoutError:
            raise NotReadBack(dpid, timeout) from None
        with nib.view() as view:
            found = view.need(Audit, dpid)
        return DiffOut(
            switch=dpid, missing=found.missing, alien=found.alien, lines=sorted(found.lines)
        )


def switch_list(view: Lookups, page: Page = ALL) -> SwitchList:
    """All switches with their ports."""
    part = page.cut(view.all(Switch), lambda switch: switch.dpid)
    return SwitchList(items=[switch_out(each, view) for each in part.rows], next=part.next)


def switch_out(switch: Switch, view: Lookups) -> SwitchOut:
    """A switch with its ports."""
    fabric = {port.name for port in fabric_ports(switch.dpid, view)}
    ports = sorted(view.ports_of(switch.dpid), key=lambda port: port.number)
    return SwitchOut(
        dpid=switch.dpid,
        name=switch.name,
        connected=switch.connected,
        applied=switch.applied,
        problem=switch.problem,
        ct_zone=switch.ct_zone,
        ports=[_port_out(port, fabric=port.name in fabric) for port in ports],
    )


def _port_out(port: Port, *, fabric: bool) -> PortOut:
    return PortOut(
        name=port.name,
        number=port.number,
        up=port.up,
        speed_bps=port.speed_bps,
        iface_id=port.iface_id,
        attached_mac=port.attached_mac,
        fabric=fabric,
    )
