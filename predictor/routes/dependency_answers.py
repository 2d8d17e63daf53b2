"""What REST answers of dependencies: what was learned, and what operators say of it.

Owns: the JSON objects of answers, made from a view of the database. Nothing is decided here.

Must not know: how dependencies are learned.
"""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, Field

from nib.mirror import Lookups
from nib.paging import ALL, Next, Page
from nib.plans import Dependency
from nib.prewarm import DependencyRule

Origin = Literal["learned", "pinned", "banned"]


class DependencyOut(BaseModel):
    """A rise at the parent precedes one at the child."""

    parent: str
    child: str
    source: Origin = Field(description="`banned`: it is not gone by")
    lag_ms: int | None = Field(description="by how long; null: not known yet")
    gain_permille: int = Field(
        description="what the child's out-of-sample loss falls by, with the parent known"
    )
    slope_permille: int = Field(description="requests at the child that one at the parent brings")
    generation: int | None = Field(
        description="the change that an operator pinned or banned it with; null: nobody did"
    )


class DependencyList(BaseModel):
    """Dependencies, by parent and child."""

    items: list[DependencyOut]
    next: Next = None


class GraphNode(BaseModel):
    """A service."""

    id: str = Field(description="its name")


class GraphEdge(BaseModel):
    """A rise at the source precedes one at the target."""

    source: str = Field(description="the parent")
    target: str = Field(description="the child")
    origin: Origin
    lag_ms: int | None = Field(description="by how long; null: not known yet")
    gain_permille: int
    slope_permille: int


class DependencyGraph(BaseModel):
    """What is gone by, as networkx reads it: `node_link_graph(answer, edges="edges")`."""

    directed: Literal[True] = True
    multigraph: Literal[False] = False
    nodes: list[GraphNode]
    edges: list[GraphEdge]


def dependency_list(view: Lookups, service: str | None = None, page: Page = ALL) -> DependencyList:
    """All, or those of a service, as parent or as child."""
    keys = {each.key for each in view.all(Dependency)}
    keys |= {each.key for each in view.all(DependencyRule)}
    named = [key for key in keys if service is None or service in key]
    part = page.cut(named, lambda key: key)
    return DependencyList(items=[dependency_out(key, view) for key in part.rows], next=part.next)


def dependency_out(key: tuple[str, str], view: Lookups) -> DependencyOut:
    """One by (parent, child): an operator's word comes before what was learned."""
    rule, learned = view.get(DependencyRule, key), view.get(Dependency, key)
    lag_ms = learned.lag_ms if learned is not None else None
    source: Origin = "learned"
    if rule is not None:
        source = "pinned" if rule.verdict == "pin" else "banned"
        lag_ms = rule.lag_ms if rule.lag_ms is not None else lag_ms
    return DependencyOut(
        parent=key[0],
        child=key[1],
        source=source,
        lag_ms=lag_ms,
        gain_permille=learned.gain_permille if learned is not None else 0,
        slope_permille=learned.slope_permille if learned is not None else 0,
        generation=rule.generation if rule is not None else None,
    )


def dependency_graph(view: Lookups) -> DependencyGraph:
    """All that is gone by."""
    edges = [each for each in dependency_list(view).items if each.source != "banned"]
    names = sorted({name for each in edges for name in (each.parent, each.child)})
    return DependencyGraph(
        nodes=[GraphNode(id=name) for name in names],
        edges=[
            GraphEdge(
                source=each.parent,
                target=each.child,
                origin=each.source,
                lag_ms=each.lag_ms,
                gain_permille=each.gain_permille,
                slope_permille=each.slope_permille,
            )
            for each in edges
        ],
    )
