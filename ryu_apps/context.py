"""What the controller's apps share: settings, the database connection, leadership, the metrics
registry.

Made once in a process, before the apps, by the framework (`_CONTEXTS`). Settings come from the
environment alone, so that `ryu-manager` and `prewire controller` run the same apps.
"""

from __future__ import annotations

import os
import socket
from pathlib import Path

from prometheus_client import CollectorRegistry
from pydantic import Field, ValidationError
from pydantic_settings import BaseSettings, SettingsConfigDict

from nib import tls
from ryu_apps import framework, tls_listener
from ryu_apps.errors import ControllerFailed
from ryu_apps.fenced import FencedNib
from ryu_apps.leadership import Leadership
from ryu_apps.measures import Measures

_SYSTEM_SWITCH_DB = Path("/var/run/openvswitch/db.sock")


def _system_switch_db() -> str:
    return f"unix:{_SYSTEM_SWITCH_DB}" if _SYSTEM_SWITCH_DB.exists() else ""


class ControllerSettings(BaseSettings):
    """Settings of the controller process, from PREWIRE_... variables."""

    model_config = SettingsConfigDict(env_prefix="PREWIRE_", extra="ignore")

    nib: str = Field(
        default="unix:/var/lib/prewire/nib.sock", description="OVSDB remote of the NIB"
    )
    metrics_host: str = Field(default="127.0.0.1", description="address that /metrics listens on")
    metrics_port: int = Field(default=9686, ge=0, le=65535, description="port of /metrics; 0: none")
    switch_db: str = Field(
        default_factory=_system_switch_db,
        description="OVSDB remotes of switches' own databases, for iface-ids, with semicolons "
        "between them; empty: none",
    )
    stats_seconds: float = Field(
        default=5.0, gt=0, description="how often switches' counters are read"
    )
    audit_seconds: float = Field(
        default=60.0,
        ge=0,
        description="how often each switch is read back for rules that somebody changed; 0: never",
    )
    tick_ms: int = Field(
        default=50,
        ge=10,
        le=1000,
        description="how often slots are dealt anew for what containers report",
    )
    tls: str = Field(
        default="",
        description="directory with cert.pem, privkey.pem and cacert.pem; empty: no TLS",
    )
    probe_ms: int = Field(
        default=200,
        ge=50,
        le=10_000,
        description="how often each link between switches is probed; three probes lost end it",
    )
    controller_name: str = Field(
        default_factory=lambda: f"{socket.gethostname()}:{os.getpid()}",
        description="how this controller signs its leadership",
    )


class ControllerContext:
    """Opens the database; NibUnavailable or SchemaMismatch where it cannot be used.

    ControllerFailed where a PREWIRE_... variable has no proper value.
    """

    def __init__(self) -> None:
        framework.log_in_lines()
        self.settings = _settings()
        _secure(self.settings)
        self.registry = CollectorRegistry()
        self.measures = Measures(self.registry)
        self.nib = FencedNib(self.settings.nib, "controller")
        self.nib.start()
        self.leadership = Leadership(self.nib, self.settings.controller_name)

    def close(self) -> None:
        """End the database connection; the framework calls it after the apps have ended."""
        self.leadership.close()
        self.nib.close()


def _secure(settings: ControllerSettings) -> None:
    files = tls.begin(settings.tls, settings.nib, settings.switch_db)
    if files is not None:
        tls_listener.install(files)


def _settings() -> ControllerSettings:
    try:
        return ControllerSettings()
    except ValidationError as error:
        first = error.errors()[0]
        name = f"PREWIRE_{'.'.join(str(part) for part in first['loc']).upper()}"
        raise ControllerFailed(
            f"{name}: {first['msg']}, not {first['input']!r}; correct the variable"
        ) from None
