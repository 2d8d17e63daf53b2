"""The log of every process, on standard error: lines for people, or JSON objects for programs.

Code logs with the standard library; what it passes as `extra` are fields of the line. Every line
says the request that was worked at, where there is one. Child processes get the form of the log by
their environment, with all other settings.

Must not know: what is logged, and why.
"""

from __future__ import annotations

import logging
from collections.abc import MutableMapping
from datetime import UTC, datetime
from typing import Any, Final

from nib.request_ids import REQUEST
from prewire.settings import Settings

__all__ = ["REQUEST", "TextLines", "begin"]

_TEXT: Final = "%(asctime)s %(levelname)s %(name)s: %(message)s"
_ORDER: Final = ("time", "level", "process", "logger", "event", "request")
# What every record has; anything else came as `extra`.
_OWN: Final = frozenset(logging.makeLogRecord({}).__dict__) | {
    *("message", "asctime", "taskName", "color_message")
}
_QUIET: Final = ("httpx", "httpcore")  # else a line a request


def begin(settings: Settings, process: str) -> None:
    """Log as the settings say. process: which one of prewire's this is, as in "api"."""
    handler = logging.StreamHandler()
    handler.setFormatter(_json(process) if settings.log_format == "json" else TextLines(_TEXT))
    handler.addFilter(_stamp)
    logging.basicConfig(level=settings.log_level.upper(), handlers=[handler])
    for name in _QUIET:
        logging.getLogger(name).setLevel(logging.WARNING)


class TextLines(logging.Formatter):
    """Time, level, module, text; then fields and the request, where there are any."""

    def formatMessage(self, record: logging.LogRecord) -> str:
        """The line without a traceback."""
        line = super().formatMessage(record)
        fields = {**_extra(record), "request": getattr(record, "request", "")}
        said = [f"{name}={value}" for name, value in fields.items() if value not in ("", None)]
        return f"{line} [{' '.join(said)}]" if said else line


def _stamp(record: logging.LogRecord) -> bool:
    """Name the request while its context is at hand."""
    if not hasattr(record, "request"):
        record.request = REQUEST.get()
    return True


def _extra(record: logging.LogRecord) -> dict[str, Any]:
    """The fields that whoever logged gave."""
    return {
        name: value
        for name, value in record.__dict__.items()
        if name not in _OWN and name != "request" and not name.startswith("_")
    }


def _json(process: str) -> logging.Formatter:
    """One JSON object a line."""
    import structlog  # noqa: PLC0415 - only who wants JSON pays for it

    def filled(_: Any, __: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
        record: logging.LogRecord = event["_record"]
        event["time"] = datetime.fromtimestamp(record.created, UTC).isoformat("T", "microseconds")
        event["level"] = record.levelname.lower()
        event["logger"] = record.name
        event["process"] = process
        if record.exc_info:
            event["exc_info"] = record.exc_info
        event.update(_extra(record))
        if record.__dict__.get("request"):
            event["request"] = record.__dict__["request"]
        return {name: event[name] for name in (*_ORDER, *event) if name in event}

    return structlog.stdlib.ProcessorFormatter(
        processors=[
            filled,
            structlog.stdlib.ProcessorFormatter.remove_processors_meta,
            structlog.processors.format_exc_info,
            structlog.processors.JSONRenderer(default=str, ensure_ascii=False),
        ]
    )
