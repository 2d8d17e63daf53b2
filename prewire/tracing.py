"""Spans of REST requests by OpenTelemetry's protocol, where the setting `otel_endpoint` says where.

The packages are an extra (`prewire[otel]`); nothing of them is imported otherwise.
Must not know: routes, what requests do.
"""

from __future__ import annotations

from typing import Any, Final

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from prewire import __version__
from prewire.errors import CommandFailed
from prewire.settings import Settings

_STREAM: Final = b"text/event-stream"
_FAILED: Final = 500


class NoTracing(CommandFailed):
    """Spans cannot be exported; the text says why and what helps."""


def traced(app: ASGIApp, settings: Settings) -> ASGIApp:
    """The application, with a span exported for each request; as it is where nothing is exported.

    NoTracing where the packages are not installed.
    """
    return Traced(app, _tracer(settings.otel_endpoint)) if settings.otel_endpoint else app


class Traced:
    """The application with spans. Those of streams end when the stream begins."""

    def __init__(self, app: ASGIApp, tracer: Any) -> None:
        """tracer: an OpenTelemetry one."""
        from opentelemetry.trace import SpanKind  # noqa: PLC0415 - an extra
        from opentelemetry.trace.propagation.tracecontext import (  # noqa: PLC0415
            TraceContextTextMapPropagator,
        )

        self._app = app
        self._tracer = tracer
        self._kind = SpanKind.SERVER
        self._propagator: Any = TraceContextTextMapPropagator()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        carrier = {
            name.decode("latin-1"): value.decode("latin-1")
            for name, value in scope["headers"]
            if name in (b"traceparent", b"tracestate")
        }
        parent = self._propagator.extract(carrier)
        span = self._tracer.start_span(scope["method"], context=parent, kind=self._kind)
        status = _FAILED

        async def answer(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                headers = dict(message.get("headers", ()))
                request = headers.get(b"x-request-id", b"").decode("latin-1")
                span.set_attribute("prewire.request_id", request)
                if headers.get(b"content-type", b"").startswith(_STREAM):
                    _end(span, scope, status)
            await send(message)

        try:
            await self._app(scope, receive, answer)
        finally:
            _end(span, scope, status)


def _end(span: Any, scope: Scope, status: int) -> None:
    """As the semantic conventions of HTTP have it; once."""
    if not span.is_recording():
        return
    route = getattr(scope.get("route"), "path", "")
    if route:
        span.update_name(f"{scope['method']} {route}")
        span.set_attribute("http.route", route)
    span.set_attribute("http.request.method", scope["method"])
    span.set_attribute("url.path", scope["path"])
    span.set_attribute("http.response.status_code", status)
    if status >= _FAILED:
        span.set_attribute("error.type", str(status))
    span.end()


def _tracer(endpoint: str) -> Any:
    """Of this process. endpoint: of OTLP by HTTP, as in "http://127.0.0.1:4318"."""
    try:
        from opentelemetry.exporter.otlp.proto.http.trace_exporter import (  # noqa: PLC0415
            OTLPSpanExporter,
        )
        from opentelemetry.sdk.resources import Resource  # noqa: PLC0415
        from opentelemetry.sdk.trace import TracerProvider  # noqa: PLC0415
        from opentelemetry.sdk.trace.export import BatchSpanProcessor  # noqa: PLC0415
    except ImportError:
        said = "otel_endpoint: OpenTelemetry is not installed; pip install 'prewire[otel]'"
        raise NoTracing(said) from None
    service = {"service.name": "prewire-api", "service.version": __version__}
    provider = TracerProvider(resource=Resource.create(service))
    exporter = OTLPSpanExporter(f"{endpoint.rstrip('/')}/v1/traces")
    provider.add_span_processor(BatchSpanProcessor(exporter))
    return provider.get_tracer("prewire", __version__)
