"""Access as the settings say.

Must not know: HTTP.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager

from nib.database import Nib
from prewire.api.access import admin
from prewire.api.access.asking import Credentials, Issuer
from prewire.api.access.guard import Access
from prewire.api.access.known import KnownTokens
from prewire.settings import Settings, SettingsError

LOG = logging.getLogger(__name__)


@contextmanager
def opened(settings: Settings, nib: Nib) -> Iterator[Access]:
    """What a server on this database lets in; the operator's token of this machine is made.

    FieldError where its file cannot be used.
    """
    if settings.access == "open":
        LOG.warning("access is open: whoever reaches %s is an operator", settings.api_url)
        yield Access(rate=settings.api_rate, max_body=settings.api_max_body)
        return
    _admit_operator(settings, nib)
    known = KnownTokens(nib)
    try:
        yield Access(
            Credentials(known, _issuer(settings, known)),
            settings.api_rate,
            settings.api_max_body,
            known,
        )
    finally:
        known.close()


def _issuer(settings: Settings, known: KnownTokens) -> Issuer | None:
    """Who signs JWTs, where one is set. SettingsError for an URL that is not to be trusted."""
    if not settings.oidc_issuer:
        return None
    from prewire.api.access.jwks import KeysAway, KeySet, check_url  # noqa: PLC0415 - slow to load
    from prewire.api.access.oidc import Claims, OidcIssuer  # noqa: PLC0415

    for name in ("oidc_issuer", "oidc_jwks"):
        url = getattr(settings, name)
        try:
            check_url(url or settings.oidc_issuer)
        except KeysAway as error:
            raise SettingsError(f"{name}: {url}: {error}; correct it") from None
    claims = Claims(
        settings.oidc_issuer,
        settings.oidc_audience,
        settings.oidc_role_claim,
        settings.oidc_services_claim,
    )
    return OidcIssuer(claims, KeySet(settings.oidc_issuer, settings.oidc_jwks), known)


def _admit_operator(settings: Settings, nib: Nib) -> None:
    path = settings.state_dir / admin.FILE
    try:
        secret = admin.ensured(settings.state_dir)
    except OSError as error:
        LOG.warning("%s: %s; there is no operator's token here", path, error.strerror)
        return
    admin.known_to(nib, secret)
    LOG.info("the operator's token of this machine is in %s", path)
