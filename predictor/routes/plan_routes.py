"""REST: plans, prewarm requests, predictors.

Must not know: who makes plans. Errors are raised as the rooms raise them.
"""

from __future__ import annotations

from typing import Annotated, Literal

from fastapi import APIRouter, Query, Response

from nib.committing import commit, now_ms
from nib.database import Nib
from nib.paging import Paging
from nib.plans import ContainerPlan, PrewarmRequest, RatePlan
from predictor.outward.accepting import accepted
from predictor.routes.models import AcceptIn
from predictor.routes.plan_answers import (
    ContainerPlanOut,
    PlanList,
    PredictorList,
    PrewarmRequestList,
    PrewarmRequestOut,
    RatePlanOut,
    container_plan_out,
    plan_list,
    predictor_list,
    prewarm_request_list,
    prewarm_request_out,
    rate_plan_out,
)
from predictor.routes.scaling_routes import OneService

_REQUEST = "/prewarm-requests/{request_id}"

OneState = Annotated[
    Literal["requested", "accepted", "ready", "expired"] | None,
    Query(description="only those in this state"),
]


def add(routes: APIRouter, nib: Nib) -> None:
    """Add the routes."""
    _add_plans(routes, nib)
    _add_requests(routes, nib)

    @routes.get("/predictors", tags=["prediction"])
    def list_predictors(page: Paging) -> PredictorList:
        """The predictors that run, and what each minds."""
        with nib.view() as view:
            return predictor_list(view, page)


def _add_plans(routes: APIRouter, nib: Nib) -> None:
    @routes.get("/plans", tags=["prediction"])
    def list_plans(page: Paging) -> PlanList:
        """All plans: containers of services and rates of policies, beside what they have."""
        with nib.view() as view:
            return plan_list(view, now_ms(), page)

    @routes.get("/plans/services/{name}", tags=["prediction"])
    def get_container_plan(name: str) -> ContainerPlanOut:
        """How many containers a service is to have, and why."""
        with nib.view() as view:
            return container_plan_out(view.need(ContainerPlan, name), view, now_ms())

    @routes.get("/plans/policies/{name}", tags=["prediction"])
    def get_rate_plan(name: str) -> RatePlanOut:
        """What rates a policy is to have, and why."""
        with nib.view() as view:
            return rate_plan_out(view.need(RatePlan, name), view, now_ms())


def _add_requests(routes: APIRouter, nib: Nib) -> None:
    @routes.get("/prewarm-requests", tags=["prediction"])
    def list_prewarm_requests(
        page: Paging, service: OneService = None, state: OneState = None
    ) -> PrewarmRequestList:
        """Requests that containers be started, the newest first."""
        with nib.view() as view:
            return prewarm_request_list(view, service, state, page)

    @routes.get(_REQUEST, tags=["prediction"])
    def get_prewarm_request(request_id: str) -> PrewarmRequestOut:
        """One request, and what became of it."""
        with nib.view() as view:
            return prewarm_request_out(view.need(PrewarmRequest, request_id))

    @routes.post(_REQUEST + "/accept", tags=["prediction"])
    async def accept_prewarm_request(
        request_id: str, body: AcceptIn, response: Response
    ) -> PrewarmRequestOut:
        """Say that one is seeing to it: `by` starts the containers. Saying it again changes
        nothing; one that somebody else has, or that is over, is refused."""
        now = now_ms()
        request = await commit(
            nib, lambda draft: accepted(draft, request_id, body.by, now), response
        )
        return prewarm_request_out(request)
