"""The keys of an OpenID Connect issuer: fetched when one is needed that is not known.

Owns: discovery, the key set, and how often either is asked for.
Must not know: tokens, who asks for what.
"""

from __future__ import annotations

import asyncio
import json
import logging
import time
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import urlsplit

import httpx
import jwt

from prewire.api.access.listening import is_loopback

LOG = logging.getLogger(__name__)

_FRESH_SECONDS: Final = 600.0
_LEAST_SECONDS: Final = 10.0  # between two fetches
_TIMEOUT_SECONDS: Final = 5.0
_MAX_BYTES: Final = 512 * 2**10
_DISCOVERY: Final = "/.well-known/openid-configuration"

# What a key may have signed with, by its type; no secret that is shared is among them.
ALGORITHMS: Final[Mapping[str, tuple[str, ...]]] = {
    "RSA": ("RS256", "RS384", "RS512", "PS256", "PS384", "PS512"),
    "EC": ("ES256", "ES384", "ES512"),
    "OKP": ("EdDSA",),
}


class KeysAway(Exception):
    """The issuer's keys cannot be fetched; the text says why."""


@dataclass(frozen=True, slots=True)
class Key:
    """One public key, and the algorithms it may have signed with."""

    public: Any
    algorithms: Collection[str]


class KeySet:
    """The keys of one issuer, by their ids. Of use in one event loop.

    url: of the key set; empty: the issuer's discovery document says it. `version` counts fetches.
    """

    def __init__(self, issuer: str, url: str = "", least_s: float = _LEAST_SECONDS) -> None:
        self.version = 0
        self._issuer = issuer
        self._url = url
        self._least_s = least_s
        self._keys: dict[str | None, Key] = {}
        self._fetched_at = self._tried_at = float("-inf")
        self._failure = ""
        self._lock = asyncio.Lock()

    async def key(self, kid: str | None) -> Key | None:
        """The key of this id, None where there is none. KeysAway where that is not known now."""
        if not self._is_fresh() or kid not in self._keys:
            async with self._lock:
                await self._refresh(kid)
        found = self._keys.get(kid)
        if found is None and self._failure:
            raise KeysAway(self._failure)
        return found

    def _is_fresh(self) -> bool:
        return time.monotonic() - self._fetched_at < _FRESH_SECONDS

    async def _refresh(self, kid: str | None) -> None:
        """Fetch, unless another request just did or tried; on failure old keys stay."""
        if self._is_fresh() and kid in self._keys:
            return
        if time.monotonic() - self._tried_at < self._least_s:
            return
        self._tried_at = time.monotonic()
        try:
            async with asyncio.timeout(2 * _TIMEOUT_SECONDS):
                self._keys = await self._fetched()
        except (KeysAway, httpx.HTTPError, httpx.InvalidURL, TimeoutError) as error:
            why = str(error) or type(error).__name__
            if why != self._failure:
                LOG.warning("keys of %s: %s", self._issuer, why)
            self._failure = why
            return
        self._fetched_at, self._failure = time.monotonic(), ""
        self.version += 1

    async def _fetched(self) -> dict[str | None, Key]:
        async with httpx.AsyncClient(timeout=_TIMEOUT_SECONDS) as client:
            url = self._url or await self._discovered(client)
            check_url(url)
            told = await _document(client, url)
        keys = dict(_named(told))
        if len(keys) == 1:
            keys[None] = next(iter(keys.values()))  # a token may then leave the id out
        return keys

    async def _discovered(self, client: httpx.AsyncClient) -> str:
        """Where the keys are (OpenID Connect Discovery 1.0)."""
        told = await _document(client, self._issuer.rstrip("/") + _DISCOVERY)
        if told.get("issuer") != self._issuer:
            raise KeysAway("its discovery document names another issuer")
        return str(told.get("jwks_uri"))


def check_url(url: str) -> None:
    """Raise KeysAway unless nobody on the way can change what is read there."""
    try:
        parts = urlsplit(url)
        is_safe = parts.scheme == "https" or (
            parts.scheme == "http" and is_loopback(parts.hostname or "")
        )
    except ValueError:
        is_safe = False
    if not is_safe:
        raise KeysAway("keys are read by https only")


async def _document(client: httpx.AsyncClient, url: str) -> Mapping[str, Any]:
    """The JSON object at an URL."""
    content = b""
    async with client.stream("GET", url) as answer:
        if answer.status_code != httpx.codes.OK:
            raise KeysAway(f"{url} answered {answer.status_code}")
        async for part in answer.aiter_bytes():
            content += part
            if len(content) > _MAX_BYTES:
                raise KeysAway(f"{url} answered more than {_MAX_BYTES} bytes")
    try:
        told = json.loads(content)
    except (ValueError, RecursionError):
        told = None
    if not isinstance(told, dict):
        raise KeysAway(f"{url} answered no JSON object")
    return told


def _named(told: Mapping[str, Any]) -> list[tuple[str | None, Key]]:
    """The keys of a set (RFC 7517) that sign; those that we cannot use are left out."""
    listed = told.get("keys")
    if not isinstance(listed, list):
        raise KeysAway("its key set lists no keys")
    keys: list[tuple[str | None, Key]] = []
    for each in listed:
        usable = _usable(each) if isinstance(each, dict) else None
        if usable is not None:
            keys.append((str(each.get("kid", "")), usable))
    return keys


def _usable(told: Mapping[str, Any]) -> Key | None:
    family = ALGORITHMS.get(str(told.get("kty")), ())
    if not family or told.get("use", "sig") != "sig":
        return None
    only = told.get("alg")
    algorithms = [name for name in family if only in (None, name)]
    try:
        public = jwt.PyJWK(dict(told)).key
    except (jwt.PyJWTError, ValueError, TypeError, KeyError, NotImplementedError):
        return None
    return Key(public, algorithms) if algorithms else None
