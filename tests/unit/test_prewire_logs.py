"""Lines of the log, for people and for programs, and the ids of requests in them."""

from __future__ import annotations

import asyncio
import io
import json
import logging
import re
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stderr
from typing import Any

import httpx
import pytest
from fastapi import FastAPI

from nib.database import Nib
from nib.request_ids import REQUEST, request_id
from prewire import logs
from prewire.api import server
from prewire.api.request_ids import RequestIds
from prewire.settings import load

LOG = logging.getLogger("prewire.test_of_logs")


@contextmanager
def logged(form: str, level: str = "info") -> Iterator[io.StringIO]:
    """What is written to standard error; the root logger is as it was afterwards."""
    root = logging.getLogger()
    handlers, before = root.handlers, root.level
    root.handlers = []
    try:
        with redirect_stderr(io.StringIO()) as out:
            logs.begin(load(log_format=form, log_level=level), "api")
            yield out
    finally:
        root.handlers = handlers
        root.setLevel(before)


def log_all() -> None:
    """Lines of all kinds."""
    LOG.debug("hidden")
    LOG.info("began with %s", "web")
    before = REQUEST.set("r-1")
    LOG.warning("two\nlines", extra={"service": "web", "count": 3})
    try:
        raise ValueError("broken")
    except ValueError:
        LOG.exception("it failed")
    REQUEST.reset(before)
    LOG.info("of another", extra={"request": "r-2"})


def test_json_lines_are_objects_with_fields_request_and_traceback() -> None:
    with logged("json") as written:
        log_all()
    lines: list[dict[str, Any]] = [json.loads(line) for line in written.getvalue().splitlines()]
    began, fields, failed, another = lines
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}\+00:00", began.pop("time"))
    assert began == {
        "level": "info",
        "process": "api",
        "logger": "prewire.test_of_logs",
        "event": "began with web",
    }
    assert (fields["event"], fields["service"], fields["count"]) == ("two\nlines", "web", 3)
    assert fields["request"] == "r-1"
    assert "ValueError: broken" in failed["exception"]
    assert failed["request"] == "r-1"
    assert another["request"] == "r-2"


def test_text_lines_have_fields_and_request_behind_the_text() -> None:
    with logged("text") as written:
        log_all()
    text = written.getvalue()
    assert " INFO prewire.test_of_logs: began with web\n" in text
    assert "two\nlines [service=web count=3 request=r-1]\n" in text
    assert "it failed [request=r-1]\nTraceback" in text
    assert "of another [request=r-2]\n" in text
    assert "hidden" not in text


def test_the_level_is_as_set_but_every_request_of_a_client_is_not_told() -> None:
    with logged("text", "debug") as written:
        LOG.debug("shown")
        logging.getLogger("httpx").info("a request")
    assert "shown" in written.getvalue()
    assert "a request" not in written.getvalue()


@pytest.mark.parametrize("given", ["a", "A-1_b.c", "x" * 64])
def test_an_id_of_letters_digits_and_marks_is_kept(given: str) -> None:
    assert request_id(given) == given


@pytest.mark.parametrize("given", ["", "x" * 65, "a b", "a\nb", 'a"', "é", "a;b"])
def test_another_id_is_replaced(given: str) -> None:
    chosen = request_id(given)
    assert re.fullmatch("[0-9a-f]{16}", chosen)
    assert request_id(given) != chosen


def test_answers_and_what_is_done_for_them_have_the_id_of_their_request() -> None:
    app = FastAPI()

    @app.get("/said")
    def said() -> str:
        return REQUEST.get()

    @app.get("/soon")
    async def soon() -> str:
        await asyncio.sleep(0)
        return REQUEST.get()

    app.add_middleware(RequestIds)

    async def ask() -> None:
        transport = httpx.ASGITransport(app=app)
        async with httpx.AsyncClient(transport=transport, base_url="http://x") as client:
            for path in ("/said", "/soon"):
                asked = [client.get(path, headers={"X-Request-Id": f"r{n}"}) for n in range(20)]
                answers = await asyncio.gather(*asked)
                assert [each.json() for each in answers] == [f"r{n}" for n in range(20)]
                assert [each.headers["x-request-id"] for each in answers] == [
                    f"r{n}" for n in range(20)
                ]
            missing = await client.get("/nowhere")
            assert re.fullmatch("[0-9a-f]{16}", missing.headers["x-request-id"])

    asyncio.run(ask())
    assert REQUEST.get() == ""


def test_the_answer_to_a_defect_and_its_line_have_the_id_too() -> None:
    app = server.application(Nib("unix:/nowhere", "none"))

    @app.get("/of/{name}")
    def defect(name: str) -> None:
        raise ZeroDivisionError(name)

    async def ask() -> httpx.Response:
        transport = httpx.ASGITransport(app=app, raise_app_exceptions=False)
        async with httpx.AsyncClient(transport=transport, base_url="http://x") as client:
            return await client.get("/of/a%1b%0adefect", headers={"X-Request-Id": "mine"})

    with logged("text") as written:
        answer = asyncio.run(ask())
    assert answer.status_code == 500
    assert answer.headers.get_list("x-request-id") == ["mine"]
    line = written.getvalue().splitlines()[0]
    assert line.endswith(r"GET '/of/a\x1b\ndefect' failed [request=mine]")
