"""A REST server for capacity intent, and rows as predictors and controllers write them."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, Final

from nib.database import Nib
from nib.draft import Draft
from nib.plans import (
    ContainerPlan,
    Dependency,
    PolicyRate,
    Predictor,
    PrewarmRequest,
    RatePlan,
    Shard,
)
from nib.prewarm import DependencyRule, Override, Provisioning, Scaling, Schedule
from tests.switch.rest_server import RestServer, serving
from tests.waiting import until

_KINDS: Final = (
    Scaling, Provisioning, Schedule, Override, DependencyRule, ContainerPlan, RatePlan,
    PolicyRate, PrewarmRequest, Dependency, Predictor, Shard,
)  # fmt: skip


@contextmanager
def serving_web() -> Iterator[RestServer]:
    """With a service `web` of one container, and a policy `to-web` of 50 Mbit/s at most."""
    with serving() as up:
        assert up.put("/v1/services/web", vip="10.0.0.100", port=80).status_code == 201
        place = {"address": "10.0.0.11", "port": 80, "iface_id": "web-1"}
        assert up.put("/v1/services/web/containers/c1", **place).status_code == 201
        assert up.put("/v1/policies/to-web", destination="web", max_bps="50M").status_code == 201
        yield up


def written(nib: Nib, *rows: Any) -> None:
    """Put rows, as others than the server do."""

    def change(draft: Draft) -> None:
        for row in rows:
            draft.put(row)

    nib.write(change).result(60)


def cleared(nib: Nib) -> None:
    """Delete all capacity intent and all that was decided of it."""

    def change(draft: Draft) -> None:
        for kind in _KINDS:
            for row in draft.all(kind):
                draft.delete(kind, row.key)

    nib.write(change).result(60)


def seen(server: RestServer, path: str, wanted: Callable[[Any], bool]) -> Any:
    """The answer of a GET, once the server has heard of what others wrote."""

    def answer() -> Any:
        found = server.http.get(path)
        return found.json() if found.is_success else None

    return until(
        answer, lambda told: told is not None and wanted(told), f"{path} shows what was written"
    )


def now_ms() -> int:
    """Milliseconds since 1970."""
    return round(time.time() * 1000)
