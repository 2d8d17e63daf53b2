"""REST: which service's rise precedes another's, and what operators say of it.

Must not know: how dependencies are learned. Errors are raised as the rooms raise them.
"""

from __future__ import annotations

from fastapi import APIRouter, Response, status

from nib.committing import Wait, commit, put_responses, status_of
from nib.database import Nib
from nib.errors import NotFound
from nib.paging import Paging
from nib.plans import Dependency
from nib.preconditions import If, conditional, row, tagged
from nib.prewarm import DependencyRule
from predictor.routes import intent
from predictor.routes.dependency_answers import (
    DependencyGraph,
    DependencyList,
    DependencyOut,
    dependency_graph,
    dependency_list,
    dependency_out,
)
from predictor.routes.models import DependencyIn
from predictor.routes.scaling_routes import OneService

_ONE = "/dependencies/{parent}/{child}"


def add(routes: APIRouter, nib: Nib) -> None:
    """Add the routes."""
    _add_reading(routes, nib)
    _add_writing(routes, nib)


def _add_reading(routes: APIRouter, nib: Nib) -> None:
    @routes.get("/dependencies", tags=["prediction"])
    def list_dependencies(page: Paging, service: OneService = None) -> DependencyList:
        """Dependencies that were learned, pinned or banned."""
        with nib.view() as view:
            return dependency_list(view, service, page)

    @routes.get("/dependencies/graph", tags=["prediction"])
    def get_dependency_graph() -> DependencyGraph:
        """The dependencies that are gone by, as a directed graph of services."""
        with nib.view() as view:
            return dependency_graph(view)

    @routes.get(_ONE, tags=["prediction"])
    def get_dependency(parent: str, child: str, response: Response) -> DependencyOut:
        """What is known of one service's dependency on another."""
        key = (parent, child)
        with nib.view() as view:
            rule = view.get(DependencyRule, key)
            if view.get(Dependency, key) is None and rule is None:
                raise NotFound("dependency", key)
            tagged(rule, response)
            return dependency_out(key, view)


def _add_writing(routes: APIRouter, nib: Nib) -> None:
    @routes.put(_ONE, tags=["prediction"], responses=put_responses(DependencyOut))
    async def put_dependency(
        parent: str, child: str, body: DependencyIn, *, response: Response, wait: Wait, given: If
    ) -> DependencyOut:
        """Say that a rise at one service precedes one at another, or that it does not. The services
        need not be there yet."""
        change = intent.put(body.record(parent, child))
        change = conditional(change, given, row(DependencyRule, (parent, child)))
        stored = await commit(nib, change, response, wait)
        tagged(stored.record, response)
        response.status_code = status_of(stored.created)
        with nib.view() as view:
            return dependency_out(stored.record.key, view)

    @routes.delete(_ONE, tags=["prediction"], status_code=status.HTTP_204_NO_CONTENT)
    async def delete_dependency(
        parent: str, child: str, response: Response, wait: Wait, given: If
    ) -> None:
        """Go by what is learned again."""
        key = (parent, child)
        change = conditional(intent.delete(DependencyRule, key), given, row(DependencyRule, key))
        await commit(nib, change, response, wait)
