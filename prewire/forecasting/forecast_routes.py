"""REST: forecasts and the series they are made from, as the predictor that minds them tells.

Must not know: how forecasts are made. Errors are raised as the rooms raise them.
"""

from __future__ import annotations

from math import isfinite
from typing import Annotated, Final, Literal

from fastapi import APIRouter, Query
from pydantic import BaseModel, ConfigDict, Field

from nib.database import Nib
from nib.intent import Service
from nib.qos import Policy
from nib.tls import TlsFiles
from prewire.forecasting.asking import Asked, address_of

_MOST_STEPS: Final = 10_000

Kind = Literal["service", "policy"]
Step = Literal["1", "60"]  # text: what a query has is never a number
OfKind = Annotated[Kind, Query(description="whether it is a service or a policy")]


class ForecastOut(BaseModel):
    """Quantiles of a load to come."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "kind": "service",
                    "name": "web",
                    "unit": "requests",
                    "made_ms": 1795322807852,
                    "step_s": 1.0,
                    "horizons": [1, 5],
                    "quantiles": [0.5, 0.9, 0.99],
                    "values": [[4.1, 5.6, 7.2], [6.0, 8.8, 10.1]],
                    "model": "mix",
                    "stale": False,
                }
            ]
        }
    )

    kind: Kind
    name: str
    unit: str = Field(description="of the values: `bps`, or what is worked at in parallel")
    made_ms: int = Field(description="when it was made, milliseconds since 1970")
    step_s: float = Field(description="how long a step is, seconds")
    horizons: list[int] = Field(description="how many steps ahead each row of `values` is")
    quantiles: list[float] = Field(description="which one each column of `values` is")
    values: list[list[float]] = Field(description="a row a horizon, a column a quantile")
    model: str = Field(description="what made it")
    stale: bool = Field(description="metrics are missing; it is an old one")


class SeriesOut(BaseModel):
    """A load as it was."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "kind": "service",
                    "name": "web",
                    "unit": "requests",
                    "step_s": 1.0,
                    "end_ms": 1795322807852,
                    "values": [3.0, 3.5, None, 4.0],
                }
            ]
        }
    )

    kind: Kind
    name: str
    unit: str = Field(description="of the values: `bps`, or what is worked at in parallel")
    step_s: float = Field(description="how long a step is, seconds")
    end_ms: int = Field(description="when the last step ended, milliseconds since 1970")
    values: list[float | None] = Field(description="the oldest first; null: not known")


def router(nib: Nib, tls: TlsFiles | None = None) -> APIRouter:
    """The routes, on a connected database; tls: what predictors are asked with."""
    routes = APIRouter(prefix="/v1")

    @routes.get("/forecasts/{name}", tags=["prediction"])
    async def get_forecast(name: str, kind: OfKind = "service") -> ForecastOut:
        """The load of a service, or the bit rate of a policy, as it is expected: quantiles for
        each step ahead."""
        found = await _asked(kind, name).forecast(kind, name)
        columns = len(found.quantiles)
        return ForecastOut(
            kind=kind,
            name=name,
            unit=found.unit,
            made_ms=found.made_ms,
            step_s=found.step_s,
            horizons=list(found.horizons),
            quantiles=list(found.quantiles),
            values=[
                list(found.values[row * columns : (row + 1) * columns])
                for row in range(len(found.horizons))
            ],
            model=found.model,
            stale=found.stale,
        )

    @routes.get("/series/{name}", tags=["prediction"])
    async def get_series(
        name: str,
        kind: OfKind = "service",
        step_s: Annotated[Step, Query(description="seconds a step: 1 or 60")] = "60",
        steps: Annotated[int, Query(ge=1, le=_MOST_STEPS, description="the youngest so many")] = 60,
    ) -> SeriesOut:
        """The load of a service, or the bit rate of a policy, as it was."""
        found = await _asked(kind, name).series(kind, name, int(step_s), steps)
        return SeriesOut(
            kind=kind,
            name=name,
            unit=found.unit,
            step_s=found.step_s,
            end_ms=found.end_ms,
            values=[value if isfinite(value) else None for value in found.values],
        )

    def _asked(kind: Kind, name: str) -> Asked:
        with nib.view() as view:
            view.need(Service if kind == "service" else Policy, name)
            return Asked(address_of(kind, name, view), tls)

    return routes
