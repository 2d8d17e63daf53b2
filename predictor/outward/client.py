"""A client's channel to a predictor, with the certificates of this machine where TLS is on.

Must not know: what is asked.
"""

from __future__ import annotations

import asyncio
import ssl
from typing import Any, Final

import grpc

from nib.errors import NibError
from nib.tls import TlsFiles, reason

_CONNECT_S: Final = 5.0


class Away(NibError):
    """A predictor does not answer at its address."""

    def __init__(self, address: str, why: str) -> None:
        super().__init__(f"the predictor at {address} does not answer: {why}; see that it runs")
        self.address = address
        self.why = why


async def channel(address: str, tls: TlsFiles | None) -> Any:
    """A grpc.aio.Channel to "HOST:PORT"; use it as an asynchronous context manager.

    As elsewhere in prewire, the CA counts and no name is compared: gRPC is told to expect the name
    that the server's certificate has. Away where TLS is on and the server does not answer to it.
    """
    if tls is None:
        return grpc.aio.insecure_channel(address)
    credentials = grpc.ssl_channel_credentials(
        tls.ca.read_bytes(), tls.key.read_bytes(), tls.cert.read_bytes()
    )
    name = await _certified_name(address, tls)
    return grpc.aio.secure_channel(
        address, credentials, options=(("grpc.ssl_target_name_override", name),)
    )


async def _certified_name(address: str, tls: TlsFiles) -> str:
    host, _, port = address.rpartition(":")
    context = tls.client_context()
    context.set_alpn_protocols(["h2"])
    try:
        async with asyncio.timeout(_CONNECT_S):
            _, writer = await asyncio.open_connection(host.strip("[]"), int(port), ssl=context)
    except (OSError, ValueError) as error:
        raise Away(address, _said(error)) from None
    certificate = writer.get_extra_info("peercert")
    writer.close()
    return _name_in(certificate)


def _name_in(certificate: Any) -> str:
    for kind, name in certificate.get("subjectAltName", ()):
        if kind == "DNS":
            return str(name)
    pairs = (pair for part in certificate.get("subject", ()) for pair in part)
    return next((str(value) for key, value in pairs if key == "commonName"), "")


def _said(error: Exception) -> str:
    if isinstance(error, ssl.SSLError | ConnectionError):
        return reason(error)
    return str(error) or f"not within {_CONNECT_S:g} s"
