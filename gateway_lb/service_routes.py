"""REST: services, their slot tables, and demand for those without a container.

Must not know: how a change reaches a switch. Errors are raised as the rooms raise them.
"""

from __future__ import annotations

from fastapi import APIRouter, Response, status

from gateway_lb import intent
from gateway_lb.answers import (
    DemandList,
    ServiceList,
    ServiceOut,
    SlotsOut,
    demand_list,
    service_out,
    slots_out,
)
from gateway_lb.models import ServiceIn
from nib.committing import Wait, commit, now_ms, put_responses, status_of
from nib.database import Nib
from nib.intent import Service
from nib.observed import Demand


def add(routes: APIRouter, nib: Nib) -> None:
    """Add the routes."""
    _add_reading(routes, nib)
    _add_writing(routes, nib)


def _add_reading(routes: APIRouter, nib: Nib) -> None:
    @routes.get("/services", tags=["services"])
    def list_services() -> ServiceList:
        """All services."""
        with nib.view() as view:
            services = sorted(view.all(Service), key=lambda service: service.name)
            now = now_ms()
            return ServiceList(items=[service_out(service, view, now) for service in services])

    @routes.get("/services/{name}", tags=["services"])
    def get_service(name: str) -> ServiceOut:
        """One service, with how its containers stand."""
        with nib.view() as view:
            return service_out(view.need(Service, name), view, now_ms())

    @routes.get("/services/{name}/slots", tags=["services"])
    def get_slots(name: str) -> SlotsOut:
        """The slot table of a service: which part of new connections each container gets."""
        with nib.view() as view:
            return slots_out(view.need(Service, name), view)

    @routes.get("/demand", tags=["services"])
    def list_demand() -> DemandList:
        """Services that somebody wanted while they had no container."""
        with nib.view() as view:
            return demand_list(view.all(Demand))


def _add_writing(routes: APIRouter, nib: Nib) -> None:
    @routes.put("/services/{name}", tags=["services"], responses=put_responses(ServiceOut))
    async def put_service(name: str, body: ServiceIn, response: Response, wait: Wait) -> ServiceOut:
        """Create or replace a service; what is left out takes its default."""
        change = intent.put_service(body.record(name), now_ms())
        stored = await commit(nib, change, response, wait)
        response.status_code = status_of(stored.created)
        with nib.view() as view:
            return service_out(stored.record, view, now_ms())

    @routes.delete("/services/{name}", tags=["services"], status_code=status.HTTP_204_NO_CONTENT)
    async def delete_service(name: str, response: Response, wait: Wait) -> None:
        """Delete a service and its containers at once; connections to it end."""
        await commit(nib, intent.delete_service(name), response, wait)
