"""Whether the REST server may listen where it is told to.

Must not know: who asks.
"""

from __future__ import annotations

import ipaddress

from prewire.settings import Settings, SettingsError


def is_loopback(host: str) -> bool:
    """Whether only this machine reaches it."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def check_listening(settings: Settings) -> None:
    """Raise SettingsError where tokens would cross a network in clear, or certificates are asked
    for without TLS; both with the remedy."""
    if not (is_loopback(settings.api_host) or settings.tls or settings.api_plain):
        raise SettingsError(
            f"api_host: {settings.api_host} is reached over the network, and tls is off: tokens "
            "would be sent in clear; set tls (docs/tls.md), or say api_plain where something else "
            "encrypts"
        )
    if settings.api_client_ca and not settings.tls:
        raise SettingsError("api_client_ca: certificates of clients need TLS; set tls too")
