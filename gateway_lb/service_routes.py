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
    service_list,
    service_out,
    slots_out,
)
from gateway_lb.models import ServiceIn
from nib.committing import Wait, commit, now_ms, put_responses, status_of
from nib.database import Nib
from nib.intent import Service
from nib.observed import Demand
from nib.paging import Paging
from nib.preconditions import If, conditional, row, tagged


def add(routes: APIRouter, nib: Nib) -> None:
    """Add the routes."""
    _add_reading(routes, nib)
    _add_writing(routes, nib)


def _add_reading(routes: APIRouter, nib: Nib) -> None:
    @routes.get("/services", tags=["services"])
    def list_services(page: Paging) -> ServiceList:
        """All services."""
        with nib.view() as view:
            return service_list(view, now_ms(), page)

    @routes.get("/services/{name}", tags=["services"])
    def get_service(name: str, response: Response) -> ServiceOut:
        """One service, with how its containers stand."""
        with nib.view() as view:
            service = view.need(Service, name)
            tagged(service, response)
            return service_out(service, view, now_ms())

    @routes.get("/services/{name}/slots", tags=["services"])
    def get_slots(name: str) -> SlotsOut:
        """The slot table of a service: which part of new connections each container gets."""
        with nib.view() as view:
            return slots_out(view.need(Service, name), view)

    @routes.get("/demand", tags=["services"])
    def list_demand(page: Paging) -> DemandList:
        """Services that somebody wanted while they had no container."""
        with nib.view() as view:
            return demand_list(view.all(Demand), page)


def _add_writing(routes: APIRouter, nib: Nib) -> None:
    @routes.put("/services/{name}", tags=["services"], responses=put_responses(ServiceOut))
    async def put_service(
        name: str, body: ServiceIn, response: Response, wait: Wait, given: If
    ) -> ServiceOut:
        """Create or replace a service; what is left out takes its default."""
        change = intent.put_service(body.record(name), now_ms())
        change = conditional(change, given, row(Service, name))
        stored = await commit(nib, change, response, wait)
        tagged(stored.record, response)
        response.status_code = status_of(stored.created)
        with nib.view() as view:
            return service_out(stored.record, view, now_ms())

    @routes.delete("/services/{name}", tags=["services"], status_code=status.HTTP_204_NO_CONTENT)
    async def delete_service(name: str, response: Response, wait: Wait, given: If) -> None:
        """Delete a service and its containers at once; connections to it end."""
        change = conditional(intent.delete_service(name), given, row(Service, name))
        await commit(nib, change, response, wait)
