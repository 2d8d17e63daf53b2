"""REST: explanations of packets and flows."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query

from gateway_lb.committing import now_ms
from nib.database import Nib
from prewire.explain import ExplainedPacket, explain_packet, switch_for
from prewire.explain_flow import ExplainedFlow, explain_flow

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
        where it leaves, and how the containers stand that it may go to."""
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

    return routes
