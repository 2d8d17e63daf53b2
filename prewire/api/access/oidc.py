"""Identities of an OpenID Connect issuer: JWTs as bearer tokens (RFC 7519, RFC 9068 in spirit).

Owns: which JWTs hold, and which claim is which role.
Must not know: how keys are fetched, what a role may do.

A row of the database with the subject `oidc:SUB` decides what SUB may do; without one, the token's
claims do.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Final

import jwt

from prewire.api.access.identity import OPERATOR, REGISTRAR, VIEWER, Identity
from prewire.api.access.jwks import ALGORITHMS, KeysAway, KeySet
from prewire.api.access.known import KnownTokens, has_expired, hash_of
from prewire.api.access.refusals import Refusal, forbidden, unauthenticated, unavailable

_LEEWAY_SECONDS: Final = 10
_MAX_KEPT: Final = 1000
_LONGEST_SUBJECT: Final = 200
_KNOWN: Final = frozenset(name for family in ALGORITHMS.values() for name in family)
_ROLES: Final = (OPERATOR, REGISTRAR, VIEWER)  # the first that a token has is its role
_WORDS: Final[Mapping[type[jwt.PyJWTError], str]] = {
    jwt.ExpiredSignatureError: "the token has expired",
    jwt.ImmatureSignatureError: "the token is not valid yet",
    jwt.InvalidAudienceError: "the token is meant for another audience",
    jwt.InvalidIssuerError: "the token is of another issuer",
    jwt.InvalidSignatureError: "the token's signature does not hold",
    jwt.InvalidAlgorithmError: "the token is signed in a way that its key is not for",
    jwt.MissingRequiredClaimError: "the token lacks one of exp, iss, aud and sub",
}


@dataclass(frozen=True, slots=True)
class Claims:
    """What is asked of a JWT, and where it says what its owner may do."""

    issuer: str
    audience: str = "prewire"
    role: str = "prewire_role"
    services: str = "prewire_services"


@dataclass(slots=True)
class _Kept:
    """JWTs that were found to hold, by their hash, as long as the keys are the same."""

    version: int = -1
    found: dict[str, Identity] = field(default_factory=dict)


class OidcIssuer:
    """Knows whose JWT is whose."""

    def __init__(self, claims: Claims, keys: KeySet, known: KnownTokens) -> None:
        self._claims = claims
        self._keys = keys
        self._known = known
        self._kept = _Kept()

    async def identity(self, token: bytes) -> Identity:
        """Whose JWT it is; Refusal where it does not hold, or its owner has no role."""
        hashed = hash_of(token)
        if self._kept.version != self._keys.version:
            self._kept = _Kept(self._keys.version)
        told = self._kept.found.get(hashed)
        if told is None or has_expired(told.expires_ms):
            told = await self._verified(token)
            if len(self._kept.found) >= _MAX_KEPT:
                self._kept.found.clear()
            self._kept.found[hashed] = told
        return self._authorised(told)

    def _authorised(self, told: Identity) -> Identity:
        """What the database says of the subject goes before what the token says."""
        row = self._known.of(told.name)
        if row is not None:
            if has_expired(row.expires_ms):
                raise unauthenticated(f"the token {row.name} has expired")
            return replace(row, until_ms=told.expires_ms)
        if not told.role:
            raise forbidden(told.name, "none", f"its claim {self._claims.role} names no role")
        return told

    async def _verified(self, token: bytes) -> Identity:
        try:
            header = jwt.get_unverified_header(token)
            if str(header.get("alg")) not in _KNOWN:
                raise jwt.InvalidAlgorithmError
            key = await self._keys.key(header.get("kid"))
            if key is None:
                raise unauthenticated("the token is signed by a key that its issuer does not have")
            told = jwt.decode(
                token,
                key.public,
                algorithms=list(key.algorithms),
                audience=self._claims.audience,
                issuer=self._claims.issuer,
                leeway=_LEEWAY_SECONDS,
                options={"require": ["exp", "iss", "aud", "sub"]},
            )
        except jwt.PyJWTError as error:
            raise _refusal(error) from None
        except (ValueError, RecursionError, OverflowError):
            raise _refusal(jwt.DecodeError()) from None
        except KeysAway as error:
            raise unavailable(str(error)) from None
        return self._told(told)

    def _told(self, told: Mapping[str, Any]) -> Identity:
        subject = told["sub"]
        if not subject or not subject.isprintable() or len(subject) > _LONGEST_SUBJECT:
            raise unauthenticated("the token's subject is no name")
        roles = _words(_claim(told, self._claims.role))
        role = next((role for role in _ROLES if role in roles), "")
        services = _words(_claim(told, self._claims.services)) if role == REGISTRAR else frozenset()
        expires_ms = 1000 * (int(told["exp"]) + _LEEWAY_SECONDS)
        return Identity(f"oidc:{subject}", role, services, "", expires_ms)


def _refusal(error: jwt.PyJWTError) -> Refusal:
    return unauthenticated(_WORDS.get(type(error), "the token is no valid JWT"))


def _claim(told: Mapping[str, Any], name: str) -> Any:
    """A claim; a dot in its name leads into an object, as in realm_access.roles."""
    if name in told:
        return told[name]
    found: Any = told
    for part in name.split("."):
        found = found.get(part) if isinstance(found, dict) else None
    return found


def _words(claim: Any) -> frozenset[str]:
    """The words of a claim: a list, or text with blanks between them."""
    listed = claim.split() if isinstance(claim, str) else claim
    if not isinstance(listed, list):
        return frozenset()
    return frozenset(each for each in listed if isinstance(each, str))
