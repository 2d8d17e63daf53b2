"""REST: what containers and gateways report.

Must not know: what is decided from a report.
"""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Body, status
from pydantic import BaseModel, Field

from gateway_lb.models import ReportIn, ReportsIn
from gateway_lb.reports import MAX_PROBLEMS, ReportDesk


class ReportProblemOut(BaseModel):
    """A report that was not taken."""

    item: int = Field(description="its place in the request, from 0")
    field: str
    message: str
    remedy: str


class ReportsOut(BaseModel):
    """What became of reports; those accepted are written within a tick."""

    accepted: int
    dropped: int = Field(description="of unknown containers, or with words that are none")
    problems: list[ReportProblemOut] = Field(description=f"of these, the first {MAX_PROBLEMS}")


def add(routes: APIRouter, desk: ReportDesk) -> None:
    """Add the routes."""

    @routes.post("/reports", tags=["reports"], status_code=status.HTTP_202_ACCEPTED)
    async def post_reports(body: Annotated[ReportsIn, Body()]) -> ReportsOut:
        """Report of many containers at once. One that cannot be taken keeps no other back."""
        taken = desk.take(body.reports)
        return ReportsOut(
            accepted=taken.accepted,
            dropped=taken.dropped,
            problems=[
                ReportProblemOut(
                    item=each.item, field=each.field, message=each.message, remedy=each.remedy
                )
                for each in taken.problems
            ],
        )

    @routes.put(
        "/services/{name}/containers/{container_id}/report",
        tags=["reports"],
        status_code=status.HTTP_202_ACCEPTED,
    )
    async def put_report(name: str, container_id: str, body: ReportIn) -> ReportsOut:
        """Report of one container."""
        desk.take_one(body.item(name, container_id))
        return ReportsOut(accepted=1, dropped=0, problems=[])
