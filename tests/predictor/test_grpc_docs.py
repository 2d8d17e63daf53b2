"""docs/grpc.md says what is so, and its example runs."""

from __future__ import annotations

import asyncio
import re
from pathlib import Path
from typing import Any, Final

import pytest

from nib.plans import PrewarmRequest
from predictor.outward import life
from predictor.outward.drivers.contract import FORMS
from predictor.outward.generated import predictor_pb2
from tests.predictor import outward_site
from tests.predictor.outward_site import put, request, service

PAGE: Final = (Path(__file__).parents[2] / "docs" / "grpc.md").read_text("utf-8")


def blocks(language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", PAGE, re.DOTALL)


def test_the_example_acknowledges_a_request_and_says_what_to_start(
    capsys: pytest.CaptureFixture[str],
) -> None:
    [example] = blocks("python")
    names: dict[str, Any] = {}
    exec(example, names)  # noqa: S102 - the page's own text

    async def run() -> None:
        with outward_site.database() as nib:
            put(nib, service(), outward_site.scaling())
            async with outward_site.predictor(nib) as site:
                platform = asyncio.create_task(names["follow"](f"127.0.0.1:{site.server.port}"))
                put(nib, request(1, site.clock))
                accepted = nib.when(lambda view: bool(view.need(PrewarmRequest, "r1").accepted_by))
                async with asyncio.timeout(outward_site.WAIT_S):
                    await asyncio.wrap_future(accepted)
                    while not capsys.readouterr().out.startswith("start 2 containers of shop"):
                        await asyncio.sleep(0.01)
                platform.cancel()
                await asyncio.gather(platform, return_exceptions=True)

    asyncio.run(run())


def test_the_page_shows_the_life_of_a_request_as_it_is() -> None:
    assert f"```\n{life.diagram()}\n```" in PAGE


def test_the_page_names_every_call_and_every_target() -> None:
    [service_] = predictor_pb2.DESCRIPTOR.services_by_name.values()
    for method in service_.methods_by_name:
        assert f"`{method}`" in PAGE or f"/{method}" in PAGE
    for kind, form in FORMS.items():
        assert f"`{kind}:{form}`" in PAGE


def test_the_page_names_every_position_of_an_event() -> None:
    positions = predictor_pb2.Position.keys()
    for name in positions:
        assert name.endswith("UNSPECIFIED") or f"`{name.removeprefix('POSITION_')}`" in PAGE
