"""Settings of all processes: flags before environment before file before defaults.

The file is TOML, `/etc/prewire/prewire.toml` or the one PREWIRE_CONFIG names; a
variable is PREWIRE_ and the setting's name in capitals. Child processes get all settings through
their environment.
"""

from __future__ import annotations

import os
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final, Literal

from pydantic import Field, ValidationError
from pydantic_settings import (
    BaseSettings,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
    TomlConfigSettingsSource,
)

from nib.tls import TlsFiles
from prewire.errors import CommandFailed

# Where processes listen: settings of a port, and of its address.
PORTS: Final[Mapping[str, str]] = {
    "controller_port": "controller_host",
    "api_port": "api_host",
    "metrics_port": "metrics_host",
    "predictor_port": "predictor_host",
    "predictor_metrics_port": "predictor_host",
}
_REMOTE: Final = r"^((unix|tcp|ssl):.+)?$"  # an OVSDB connection method, ovsdb(7); or nothing
_DEFAULT_FILE: Final = Path("/etc/prewire/prewire.toml")


class SettingsError(CommandFailed):
    """A setting cannot be used; the text names it and the remedy."""


class Settings(BaseSettings):
    """Everything an operator may set."""

    model_config = SettingsConfigDict(env_prefix="PREWIRE_", extra="forbid")

    state_dir: Path = Field(
        default=Path("/var/lib/prewire"), description="where the embedded NIB keeps its files"
    )
    nib: str = Field(
        default="",
        pattern=_REMOTE,
        description="OVSDB remote of the NIB; empty: the embedded one in state_dir",
    )
    api_host: str = Field(default="127.0.0.1", description="address the REST server listens on")
    api_port: int = Field(default=8686, ge=1, le=65535, description="port of the REST server")
    api_plain: bool = Field(
        default=False,
        description="let the REST server listen elsewhere than on loopback without TLS",
    )
    api_client_ca: str = Field(
        default="",
        description="file with the CAs that vouch for clients of the REST server: these may show a "
        "certificate instead of a token; empty: none is asked for",
    )
    api_rate: int = Field(
        default=5000,
        ge=0,
        le=1_000_000,
        description="requests a second that one client may send to a REST server; 0: no limit",
    )
    api_max_body: int = Field(
        default=8 * 2**20,
        ge=1024,
        le=2**30,
        description="bytes that the body of a request to the REST server may have",
    )
    access: Literal["tokens", "open"] = Field(
        default="tokens",
        description="who may use the REST server: who has a token, or everybody who reaches it",
    )
    oidc_issuer: str = Field(
        default="",
        description="URL of an OpenID Connect issuer whose JWTs are taken as tokens; empty: none",
    )
    oidc_audience: str = Field(
        default="prewire", description="the audience (aud) that its JWTs must be meant for"
    )
    oidc_jwks: str = Field(
        default="", description="URL of its keys; default: as its discovery document says"
    )
    oidc_role_claim: str = Field(
        default="prewire_role",
        description="claim of its JWTs that has the role, or a list with it among others",
    )
    oidc_services_claim: str = Field(
        default="prewire_services",
        description="claim of its JWTs that lists the services of a registrar",
    )
    controller_host: str = Field(
        default="127.0.0.1", description="address switches connect to by OpenFlow"
    )
    controller_port: int = Field(
        default=6653, ge=1, le=65535, description="port switches connect to by OpenFlow"
    )
    metrics_host: str = Field(default="127.0.0.1", description="address of the /metrics server")
    metrics_port: int = Field(
        default=9686, ge=0, le=65535, description="port of the controller's /metrics; 0: none"
    )
    switch_db: str | None = Field(
        default=None,
        description="OVSDB remotes of switches' own databases, for iface-ids, with semicolons "
        "between them; default: this machine's, where there is one; empty: none",
    )
    stats_seconds: float = Field(
        default=5.0, gt=0, le=3600, description="how often switches' counters are read"
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
        description="how often the controller deals slots anew for what containers report",
    )
    probe_ms: int = Field(
        default=200,
        ge=50,
        le=10_000,
        description="how often each link between switches is probed; three probes lost end it",
    )
    report_tick_ms: int = Field(
        default=50,
        ge=10,
        le=1000,
        description="how often the REST server passes on what containers report",
    )
    node_poll_ms: int = Field(
        default=250,
        ge=50,
        le=60_000,
        description="how often the node agent counts connections, at most",
    )
    predictor_host: str = Field(
        default="127.0.0.1", description="address the predictor's gRPC server listens on"
    )
    predictor_port: int = Field(
        default=8687,
        ge=0,
        le=65535,
        description="port of the predictor's gRPC server; 0: `up` starts no predictor",
    )
    predictor_metrics_port: int = Field(
        default=9687, ge=0, le=65535, description="port of the predictor's /metrics; 0: none"
    )
    predictor_name: str = Field(
        default="", description="the predictor's name among several; default: host and process"
    )
    predictor_tick_ms: int = Field(
        default=1000, ge=200, le=60_000, description="how often plans are made"
    )
    scrape: str = Field(
        default="",
        description="URLs of controllers' /metrics that the predictor reads, with semicolons "
        "between them; default: this machine's controller",
    )
    prometheus: str = Field(
        default="",
        description="URL of a Prometheus server that has the controllers' past metrics; empty: "
        "the predictor has its own history only",
    )
    history_days: int = Field(
        default=14, ge=1, le=400, description="how far back the predictor learns, in days"
    )
    refit_minutes: int = Field(
        default=20,
        ge=0,
        le=10_080,
        description="how often the global model is fitted anew; 0: never",
    )
    dask: str = Field(
        default="", description="address of a Dask scheduler that refits run on; empty: here"
    )
    container_commands: str = Field(
        default="",
        description="file that says how containers of this machine are started and stopped, for "
        "services whose scaling has a target process:NAME; empty: none",
    )
    events_sink: str = Field(
        default="",
        description="URL that CloudEvents of prewarm requests go to; default: the variable K_SINK",
    )
    tls: str = Field(
        default="",
        description="directory with cert.pem, privkey.pem and cacert.pem; OpenFlow, OVSDB and REST "
        "then take TLS only; empty: no TLS",
    )
    log_level: Literal["debug", "info", "warning", "error"] = Field(
        default="info", description="the least severe messages to log"
    )
    otel_endpoint: str = Field(
        default="",
        pattern=r"^(https?://.+)?$",
        description="URL that spans of REST requests go to, by OTLP over HTTP, as in "
        "http://127.0.0.1:4318; empty: none",
    )
    log_format: Literal["text", "json"] = Field(
        default="text", description="how lines are logged: for people, or one JSON object each"
    )

    @property
    def nib_remote(self) -> str:
        """The NIB's remote, embedded or not."""
        return self.nib or f"unix:{self.state_dir.absolute() / 'nib.sock'}"

    @property
    def api_url(self) -> str:
        """Where clients on this machine reach the REST server."""
        return f"{'https' if self.tls else 'http'}://{_host(self.api_host)}:{self.api_port}"

    @property
    def scrape_urls(self) -> tuple[str, ...]:
        """Where the predictor finds controllers' metrics."""
        if self.scrape:
            return tuple(url.strip() for url in self.scrape.split(";") if url.strip())
        if not self.metrics_port:
            return ()
        return (f"http://{_host(self.metrics_host)}:{self.metrics_port}/metrics",)

    @property
    def tls_files(self) -> TlsFiles | None:
        """The certificates, not yet looked at; None: TLS is off."""
        return TlsFiles(Path(self.tls).absolute()) if self.tls else None

    @property
    def environment(self) -> dict[str, str]:
        """These settings for a child process."""
        given = {name: getattr(self, name) for name in type(self).model_fields}
        given["nib"] = self.nib_remote
        given["tls"] = self.tls and str(Path(self.tls).absolute())
        return {
            f"PREWIRE_{name.upper()}": str(value)
            for name, value in given.items()
            if value is not None
        }

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Flags, environment, file; no others."""
        del dotenv_settings, file_secret_settings
        return init_settings, env_settings, TomlConfigSettingsSource(settings_cls, _file())


def load(**flags: Any) -> Settings:
    """The settings in force; a flag of None was not given. SettingsError names what is bad."""
    given = {name: value for name, value in flags.items() if value is not None}
    named = os.environ.get("PREWIRE_CONFIG")
    if named and not Path(named).is_file():
        raise SettingsError(f"PREWIRE_CONFIG: there is no file {named}; correct it or unset it")
    try:
        return Settings(**given)
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise SettingsError(f"{_file()}: not valid TOML: {error}; correct the file") from None
    except RecursionError:
        raise SettingsError(f"{_file()}: nested too deep; no setting has parts") from None
    except ValidationError as error:
        raise SettingsError(_complaint(error)) from None


def _host(address: str) -> str:
    """An address as a URL has it."""
    return f"[{address}]" if ":" in address else address


def _file() -> Path:
    return Path(os.environ.get("PREWIRE_CONFIG") or _DEFAULT_FILE)


def _complaint(error: ValidationError) -> str:
    first = error.errors()[0]
    name = ".".join(str(part) for part in first["loc"])
    if first["type"] == "extra_forbidden":
        known = ", ".join(Settings.model_fields)
        return f"{name}: no such setting; remove it from {_file()} (there are {known})"
    return (
        f"{name}: {first['msg']}, not {first['input']!r}; "
        f"correct the flag, PREWIRE_{name.upper()} or {_file()}"
    )
