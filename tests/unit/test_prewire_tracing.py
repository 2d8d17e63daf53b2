"""Spans as a collector gets them."""

from __future__ import annotations

import asyncio
import gzip
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Final

import httpx
import pytest
from fastapi import FastAPI, HTTPException
from starlette.responses import StreamingResponse

from prewire.api.request_ids import RequestIds
from prewire.settings import load
from prewire.tracing import traced

trace_service = pytest.importorskip("opentelemetry.proto.collector.trace.v1.trace_service_pb2")

TRACE: Final = "0af7651916cd43dd8448eb211c80319c"
PARENT: Final = "b7ad6b7169203331"


@contextmanager
def collector() -> Iterator[tuple[str, list[Any]]]:
    """The URL of a server that takes OTLP, and the spans that came with their resources."""
    came: list[Any] = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            if self.headers.get("Content-Encoding") == "gzip":
                body = gzip.decompress(body)
            request = trace_service.ExportTraceServiceRequest.FromString(body)
            for of_resource in request.resource_spans:
                for scope in of_resource.scope_spans:
                    came.extend((of_resource.resource, span) for span in scope.spans)
            self.send_response(200)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, args=(0.02,))
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}", came
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def application() -> FastAPI:
    app = FastAPI()

    @app.get("/v1/things/{name}")
    def thing(name: str) -> str:
        if name == "broken":
            raise HTTPException(503)
        return name

    @app.get("/v1/stream")
    def stream() -> StreamingResponse:
        return StreamingResponse(iter([b"data: 1\n\n"]), media_type="text/event-stream")

    app.add_middleware(RequestIds)
    return app


def attributes(of: Any) -> dict[str, Any]:
    return {each.key: getattr(each.value, each.value.WhichOneof("value")) for each in of.attributes}


def test_every_request_is_a_span_with_its_id_in_the_trace_of_who_asked() -> None:
    async def ask(url: str) -> None:
        app: Any = traced(application(), load(otel_endpoint=url))
        transport = httpx.ASGITransport(app=app)
        async with httpx.AsyncClient(transport=transport, base_url="http://x") as client:
            parent = {"traceparent": f"00-{TRACE}-{PARENT}-01", "X-Request-Id": "mine"}
            await client.get("/v1/things/web", headers=parent)
            await client.get("/v1/things/broken")
            await client.get("/v1/stream")
        app._tracer.span_processor.force_flush(5000)

    with collector() as (url, came):
        asyncio.run(ask(url))
    resource = attributes(came[0][0])
    assert resource["service.name"] == "prewire-api"
    first, broken, stream = (span for _, span in came)
    assert first.name == "GET /v1/things/{name}"
    assert first.trace_id.hex() == TRACE
    assert first.parent_span_id.hex() == PARENT
    said = attributes(first)
    assert said["prewire.request_id"] == "mine"
    assert (said["url.path"], said["http.response.status_code"]) == ("/v1/things/web", 200)
    assert attributes(broken)["error.type"] == "503"
    assert stream.name == "GET /v1/stream"
    assert all(span.end_time_unix_nano >= span.start_time_unix_nano for _, span in came)


def test_without_an_endpoint_nothing_is_between() -> None:
    app = application()
    assert traced(app, load()) is app
