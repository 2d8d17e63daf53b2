"""The predictor that minds a service is asked, also with TLS; and what is said where it is away."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Iterator

import numpy as np
import pytest

from nib.database import Nib
from nib.errors import NotFound
from nib.plans import Predictor, Shard, shard_of
from nib.tls import TlsFiles
from predictor.outward.views import ForecastView
from prewire.forecasting.asking import Asked, PredictorAway, address_of
from tests.certified import Certified, certified
from tests.predictor import outward_site


@pytest.fixture(scope="module")
def files() -> Iterator[Certified]:
    with certified() as made:
        yield made


@pytest.fixture
def nib() -> Iterator[Nib]:
    with outward_site.database() as nib:
        outward_site.put(nib, outward_site.service())
        yield nib


def asked(nib: Nib, tls: TlsFiles | None, ours: TlsFiles | None, name: str = "shop") -> list[float]:
    """The values of a forecast by a predictor with `tls`, asked with `ours`."""

    async def scene() -> list[float]:
        async with outward_site.predictor(nib, tls=tls) as site:
            values = np.array([[1.5, 4.0]])
            view = ForecastView("service", "shop", 1, 60.0, (1,), (0.5, 0.99), values, "m")
            site.feed.forecasts([view])
            there = Asked(f"127.0.0.1:{site.server.port}", ours)
            return list((await there.forecast("service", name)).values)

    return asyncio.run(scene())


def test_it_answers(nib: Nib) -> None:
    assert asked(nib, None, None) == [1.5, 4.0]


def test_it_answers_with_certificates(nib: Nib, files: Certified) -> None:
    assert asked(nib, files.prewire, files.prewire) == [1.5, 4.0]


def test_a_stranger_is_not_trusted(nib: Nib, files: Certified) -> None:
    with pytest.raises(PredictorAway, match=r"does not answer: .*certificate"):
        asked(nib, files.stranger, files.prewire)


def test_what_it_does_not_know_is_not_found(nib: Nib) -> None:
    with pytest.raises(NotFound, match="there is no forecast of service buy"):
        asked(nib, None, None, "buy")


def test_nobody_there_is_away() -> None:
    with pytest.raises(PredictorAway, match=r"at 127\.0\.0\.1:1 does not answer; start one"):
        asyncio.run(Asked("127.0.0.1:1", None).forecast("service", "shop"))


def test_one_that_says_nothing_is_away() -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        address = f"127.0.0.1:{silent.getsockname()[1]}"
        with pytest.raises(PredictorAway, match=f"at {address} does not answer"):
            asyncio.run(Asked(address, None, within_s=0.3).series("service", "shop", 60, 9))


def test_the_holder_of_the_shard_is_asked(nib: Nib) -> None:
    with nib.view() as view, pytest.raises(PredictorAway, match="no predictor minds service shop"):
        address_of("service", "shop", view)
    lease = Shard(shard_of("shop"), "p1")
    outward_site.put(nib, lease)
    with nib.view() as view, pytest.raises(PredictorAway, match="no predictor minds service shop"):
        address_of("service", "shop", view)
    outward_site.put(nib, Predictor("p1", ""))
    with nib.view() as view, pytest.raises(PredictorAway, match="has no gRPC server"):
        address_of("service", "shop", view)
    outward_site.put(nib, Predictor("p1", "10.0.0.1:8687"))
    with nib.view() as view:
        assert address_of("service", "shop", view) == "10.0.0.1:8687"
