"""TLS in a process of prewire: begun once, before anything listens or connects."""

from __future__ import annotations

from nib import tls
from prewire.settings import Settings

# The OVSDB library takes half a second to load; processes without TLS do not load it for this.
# ruff: noqa: PLC0415


def begin(settings: Settings) -> None:
    """Look at the certificates, and have this process's OVSDB clients use them.

    FieldError names the setting, the file and the remedy. Where TLS is off, it only sees that no
    other setting needs it.
    """
    files = settings.tls_files
    tls.check_method("nib", settings.nib, files)
    tls.check_method("switch_db", settings.switch_db or "", files)
    if files is not None:
        from nib import tls_stream

        files.check()
        tls_stream.use(files, settings.switch_db or "")
