"""REST: explanations of packets, flows and meters."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query

from nib.committing import now_ms
from nib.database import Nib
from prewire.explaining.flow import ExplainedFlow, explain_flow
from prewire.explaining.meter import ExplainedMeter, explain_meter
from prewire.explaining.packet import ExplainedPacket, explain_packet, switch_for

SwitchName = Annotated[
    str | None, Query(description="datapath id or bridge name; the only switch by default")
]


def router(nib: Nib) -> APIRouter:
    """The routes, on a connected database."""
    routes = APIRouter(prefix="/v1/explain", tags=["explain"])

    @routes.get("/packet")
    def get_packet(
        packet: Annotated[
            str, Query(min_length=1, examples=["in_port=1,tcp,nw_src=10.0.0.1,tp_dst=80"])
        ],
        switch: SwitchName = None,
    ) -> ExplainedPacket:
        """Which flows and groups take this packet, switch by switch, which intent they come from,
        where it leaves, how the containers stand that it may go to, and what policy governs it."""
        with nib.view() as view:
            return explain_packet(packet, switch_for(switch, view), view, now_ms())

    @routes.get("/flow")
    def get_flow(
        flow: Annotated[str, Query(description="a line of ovs-ofctl dump-flows")],
        switch: SwitchName = None,
    ) -> ExplainedFlow:
        """Which intent a flow comes from."""
        with nib.view() as view:
            return explain_flow(flow, switch_for(switch, view), view)

    @routes.get("/meter")
    def get_meter(
        meter: Annotated[int, Query(ge=1, le=0xFFFF_FFFF, description="its OpenFlow id")],
    ) -> ExplainedMeter:
        """Which policy a meter limits, and what is wanted of it in each switch."""
        with nib.view() as view:
            return explain_meter(meter, view)

    return routes
