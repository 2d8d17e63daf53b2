"""Who sent a request: by its bearer token, a JWT of the OIDC issuer, or its client certificate.

Must not know: what a role may do, what is answered to a refusal.

A bearer token decides alone; a certificate is looked at where there is none. Secrets are looked up
by their hash, so that comparing takes the same time whatever they are.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final, Protocol

from prewire.api.access.identity import ANYBODY, Identity, Scope
from prewire.api.access.known import PREFIX, KnownTokens, has_expired, hash_of
from prewire.api.access.refusals import unauthenticated

_SCHEME: Final = b"bearer "
_PREFIX: Final = PREFIX.encode()
_MAX_BYTES: Final = 8192


class Issuer(Protocol):
    """Whoever signs JWTs (`prewire.api.access.oidc`)."""

    async def identity(self, token: bytes) -> Identity:
        """Whose JWT it is; Refusal where it does not hold."""


class Asking(Protocol):
    """Knows who asks."""

    async def identity(self, scope: Scope) -> Identity:
        """Whose request it is; Refusal where nobody's."""

    def is_valid(self, identity: Identity) -> bool:
        """Whether it still is: not expired, not deleted, not changed."""


class Everybody:
    """Where access is open."""

    async def identity(self, scope: Scope) -> Identity:
        """The same for all."""
        del scope
        return ANYBODY

    def is_valid(self, identity: Identity) -> bool:
        """For ever."""
        del identity
        return True


class Credentials:
    """Tokens of the database, and what else is set."""

    def __init__(self, known: KnownTokens, issuer: Issuer | None = None) -> None:
        self._known = known
        self._issuer = issuer

    async def identity(self, scope: Scope) -> Identity:
        """Whose request it is."""
        bearer = _bearer(scope["headers"])
        if bearer is None:
            return self._of_certificate(scope)
        if self._issuer is not None and not bearer.startswith(_PREFIX):
            return await self._issuer.identity(bearer)
        found = self._known.of(hash_of(bearer))
        if found is None:
            raise unauthenticated("the token is not known")
        return _unexpired(found)

    def is_valid(self, identity: Identity) -> bool:
        """Whether its row is as it was, also where it had none, and its time has not come."""
        if has_expired(identity.expires_ms) or has_expired(identity.until_ms):
            return False
        row = self._known.of(identity.known_by or identity.name)
        return row == identity if identity.known_by else row is None

    def _of_certificate(self, scope: Scope) -> Identity:
        subject = certificate_subject(scope)
        if subject is None:
            raise unauthenticated("the request has no token")
        found = self._known.of(subject)
        if found is None:
            raise unauthenticated(
                f"the certificate's subject {subject} is not known",
                f"have an operator run `prewire token create NAME --subject {subject}`",
            )
        return _unexpired(found)


def certificate_subject(scope: Scope) -> str | None:
    """As in "cert:CN", of the certificate that the client showed and our CA signed; or None.

    Where it stands says the TLS extension of ASGI.
    """
    tls = scope.get("extensions", {}).get("tls")
    name = tls and tls.get("client_cert_name")
    return f"cert:{name}" if name else None


def _unexpired(identity: Identity) -> Identity:
    if has_expired(identity.expires_ms):
        raise unauthenticated(f"the token {identity.name} has expired")
    return identity


def _bearer(headers: Iterable[tuple[bytes, bytes]]) -> bytes | None:
    """The token; None without the header. Refusal for another scheme, or several headers."""
    given = [value for name, value in headers if name == b"authorization"]
    if not given:
        return None
    if len(given) > 1:
        raise unauthenticated("there are several Authorization headers")
    value = given[0]
    if value[: len(_SCHEME)].lower() != _SCHEME or len(value) > _MAX_BYTES:
        raise unauthenticated("the Authorization header holds no bearer token")
    return value[len(_SCHEME) :].strip()
