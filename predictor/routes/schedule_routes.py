"""REST: capacity ahead of known times.

Must not know: how a change reaches a switch. Errors are raised as the rooms raise them.
"""

from __future__ import annotations

from fastapi import APIRouter, Response, status

from nib.committing import Wait, commit, now_ms, put_responses, status_of
from nib.database import Nib
from nib.paging import Paging
from nib.preconditions import If, conditional, row, tagged
from nib.prewarm import Schedule
from predictor.routes import intent
from predictor.routes.answers import ScheduleList, ScheduleOut, schedule_out
from predictor.routes.models import ScheduleIn

_ONE = "/schedules/{name}"


def add(routes: APIRouter, nib: Nib) -> None:
    """Add the routes."""

    @routes.get("/schedules", tags=["prediction"])
    def list_schedules(page: Paging) -> ScheduleList:
        """All schedules, and when they hold."""
        with nib.view() as view:
            part, now = page.cut(view.all(Schedule), lambda each: each.name), now_ms()
            items = [schedule_out(each, view, now) for each in part.rows]
            return ScheduleList(items=items, next=part.next)

    @routes.get(_ONE, tags=["prediction"])
    def get_schedule(name: str, response: Response) -> ScheduleOut:
        """One schedule, and when it holds."""
        with nib.view() as view:
            schedule = view.need(Schedule, name)
            tagged(schedule, response)
            return schedule_out(schedule, view, now_ms())

    @routes.put(_ONE, tags=["prediction"], responses=put_responses(ScheduleOut))
    async def put_schedule(
        name: str, body: ScheduleIn, response: Response, wait: Wait, given: If
    ) -> ScheduleOut:
        """Give a service containers, or a policy rates, at times that are known. What it names
        need not be there yet."""
        change = conditional(intent.put(body.record(name)), given, row(Schedule, name))
        stored = await commit(nib, change, response, wait)
        tagged(stored.record, response)
        response.status_code = status_of(stored.created)
        with nib.view() as view:
            return schedule_out(stored.record, view, now_ms())

    @routes.delete(_ONE, tags=["prediction"], status_code=status.HTTP_204_NO_CONTENT)
    async def delete_schedule(name: str, response: Response, wait: Wait, given: If) -> None:
        """Delete a schedule; what it holds now ends."""
        change = conditional(intent.delete(Schedule, name), given, row(Schedule, name))
        await commit(nib, change, response, wait)
