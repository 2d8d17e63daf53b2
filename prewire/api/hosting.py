"""How uvicorn serves the application: where, with which certificates, for how many connections.

Must not know: what is served.
"""

from __future__ import annotations

import logging
import resource
import ssl
import time
from pathlib import Path
from typing import Any, Final

import uvicorn
from starlette.types import ASGIApp

from nib.tls import TlsFiles
from prewire.api.access.protocol import GuardedProtocol
from prewire.settings import Settings, SettingsError

_END_SECONDS: Final = 5
_SILENT_SECONDS: Final = 60.0


def config_of(app: ASGIApp, settings: Settings, context: ssl.SSLContext | None) -> uvicorn.Config:
    """For uvicorn; context: as `tls_context` makes it."""
    return uvicorn.Config(
        app,
        host=settings.api_host,
        port=settings.api_port,
        http=GuardedProtocol,
        ws="none",
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=False,  # else whoever is on this machine chooses the address that is logged
        timeout_graceful_shutdown=_END_SECONDS,
        **_secured(settings.tls_files, context),
    )


class TellOnce(logging.Filter):
    """Lets uvicorn say the same of its clients once a minute, however much garbage they send."""

    def __init__(self) -> None:
        super().__init__()
        self._told: dict[str, float] = {}

    def filter(self, record: logging.LogRecord) -> bool:
        """Whether it was not said lately."""
        if record.levelno != logging.WARNING:
            return True
        text, now_s = str(record.msg), time.monotonic()
        is_due = now_s - self._told.get(text, -_SILENT_SECONDS) >= _SILENT_SECONDS
        if is_due:
            self._told[text] = now_s
        return is_due


def prepare() -> None:
    """Have uvicorn's own words be few, and files for as many connections as the system lets us
    have; a shell's default is 1024."""
    logging.getLogger("uvicorn.error").addFilter(TellOnce())
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))


def tls_context(settings: Settings) -> ssl.SSLContext | None:
    """What TLS is spoken with; None: it is off.

    Clients are asked for a certificate where a CA vouches for them, and may have none.
    SettingsError where that CA cannot be used.
    """
    if settings.tls_files is None:
        return None
    context = settings.tls_files.server_context()
    given = settings.api_client_ca
    if given:
        try:
            context.load_verify_locations(Path(given))
        except ssl.SSLError:
            raise SettingsError(f"api_client_ca: {given} has no certificate in PEM form") from None
        except OSError as error:
            raise SettingsError(f"api_client_ca: {given}: {error.strerror}; correct it") from None
        context.verify_mode = ssl.CERT_OPTIONAL
    return context


def _secured(files: TlsFiles | None, context: ssl.SSLContext | None) -> dict[str, Any]:
    """What uvicorn is told for TLS."""
    if files is None or context is None:
        return {}
    return {
        "ssl_certfile": files.cert,
        "ssl_keyfile": files.key,
        "ssl_context_factory": lambda *_: context,
    }
