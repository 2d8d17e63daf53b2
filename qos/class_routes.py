"""REST: classes of traffic.

Must not know: how a change reaches a switch. Errors are raised as the rooms raise them.
"""

from __future__ import annotations

from fastapi import APIRouter, Response, status

from nib.committing import Wait, commit, put_responses, status_of
from nib.database import Nib
from nib.errors import NotFound
from nib.mirror import Lookups
from nib.paging import Paging
from nib.preconditions import If, conditional, tagged
from nib.qos import QosClass
from qos import intent
from qos.answers import ClassList, ClassOut, TrafficList, class_list, class_out, traffic_list
from qos.classes import classes_of
from qos.intent import Reservations
from qos.models import ClassIn


def add(routes: APIRouter, nib: Nib, reservations: Reservations) -> None:
    """Add the routes."""
    _add_reading(routes, nib)
    _add_writing(routes, nib, reservations)


def _add_reading(routes: APIRouter, nib: Nib) -> None:
    @routes.get("/classes", tags=["qos"])
    def list_classes(page: Paging) -> ClassList:
        """All classes, built-in ones among them."""
        with nib.view() as view:
            return class_list(view, page)

    @routes.get("/classes/{name}", tags=["qos"])
    def get_class(name: str, response: Response) -> ClassOut:
        """One class."""
        with nib.view() as view:
            found = classes_of(view).get(name)
            if found is None:
                raise NotFound("class", name)
            tagged(found, response)
            return class_out(found, view)

    @routes.get("/traffic-presets", tags=["qos"])
    def list_traffic_presets(page: Paging) -> TrafficList:
        """What a policy's `traffic` can be, and the class and burst that suit it."""
        return traffic_list(page)


def _add_writing(routes: APIRouter, nib: Nib, reservations: Reservations) -> None:
    @routes.put("/classes/{name}", tags=["qos"], responses=put_responses(ClassOut))
    async def put_class(
        name: str, body: ClassIn, response: Response, wait: Wait, given: If
    ) -> ClassOut:
        """Create or replace a class, or give a built-in one other values."""
        change = intent.put_class(body.record(name), reservations)
        change = conditional(change, given, lambda view: _known(name, view))
        stored = await commit(nib, change, response, wait)
        tagged(stored.record, response)
        response.status_code = status_of(stored.created)
        with nib.view() as view:
            return class_out(stored.record, view)

    @routes.delete("/classes/{name}", tags=["qos"], status_code=status.HTTP_204_NO_CONTENT)
    async def delete_class(name: str, response: Response, wait: Wait, given: If) -> None:
        """Delete a class that no policy is of; a built-in one is as built in again."""
        change = intent.delete_class(name, reservations)
        change = conditional(change, given, lambda view: _known(name, view))
        await commit(nib, change, response, wait)


def _known(name: str, view: Lookups) -> QosClass | None:
    """A class that was stated or is built in."""
    return classes_of(view).get(name)
