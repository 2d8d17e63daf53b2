"""REST: who may use it: tokens and what they may do.

A secret is answered once, when it is made; the database has its hash only.
Must not know: how a token is checked.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import replace
from typing import Annotated, Final, Literal, TypeAlias

from fastapi import APIRouter, Body, Query, Response, status
from pydantic import BaseModel, ConfigDict, Field, JsonValue

from nib.access import MAX_SERVICES, Token
from nib.committing import ACTOR, commit, now_ms
from nib.database import Nib
from nib.draft import Draft
from nib.errors import Conflict, FieldError
from nib.fields import check_name
from nib.paging import Next, Paging
from prewire.api.access.known import KnownTokens, has_expired, hash_of, new_secret

Change: TypeAlias = Callable[[Draft], tuple[bool, Token]]

_SEEN_SECONDS = 5.0
_SUBJECT = r"^((cert|oidc):[\x21-\x7e]([\x20-\x7e]*[\x21-\x7e])?)?$"


class TokenIn(BaseModel):
    """What somebody may do, and for how long."""

    model_config = ConfigDict(extra="forbid")

    role: Literal["viewer", "registrar", "operator"] = Field(
        description="viewer: reads; registrar: registers containers of its services; operator: all"
    )
    services: list[str] = Field(
        [], max_length=MAX_SERVICES, description="a registrar's services; others have none"
    )
    subject: str = Field(
        "",
        max_length=255,
        pattern=_SUBJECT,
        description="known by this instead of a secret: cert:CN of a client certificate, or "
        "oidc:SUB of an OIDC issuer's JWT",
    )
    expires_seconds: int | None = Field(
        None, ge=1, le=3_153_600_000, description="from now; without it, it never expires"
    )


_SHOWN: Final[dict[str, JsonValue]] = {
    "name": "web-platform",
    "role": "registrar",
    "services": ["web"],
    "subject": "",
    "created_ms": 1795322807852,
    "expires_ms": 1795409207852,
    "created_by": "admin-host1",
    "expired": False,
}


class TokenOut(BaseModel):
    """One token, without its secret."""

    model_config = ConfigDict(json_schema_extra={"examples": [_SHOWN]})

    name: str
    role: str
    services: list[str]
    subject: str
    created_ms: int = Field(description="milliseconds since 1970")
    expires_ms: int | None = Field(description="likewise; null: never")
    created_by: str
    expired: bool


class NewTokenOut(TokenOut):
    """A token that was made or changed."""

    model_config = ConfigDict(json_schema_extra={"examples": [{**_SHOWN, "secret": "pw_…"}]})

    secret: str | None = Field(
        description="what to send as a bearer token; only now, and only where it is new"
    )


class TokenList(BaseModel):
    """Tokens, by name."""

    items: list[TokenOut]
    next: Next = None


Rotate = Annotated[bool, Query(description="make a new secret; the old one ends at once")]
_EXAMPLE = Body(openapi_examples={
    "registrar": {"value": {"role": "registrar", "services": ["web"], "expires_seconds": 86400}},
    "certificate": {"value": {"role": "viewer", "subject": "cert:dashboard"}},
})  # fmt: skip


def router(nib: Nib, known: KnownTokens | None) -> APIRouter:
    """The routes, on a connected database that sees tokens; known: what this server checks by."""
    routes = APIRouter(prefix="/v1/tokens", tags=["tokens"])
    _add_reading(routes, nib)

    @routes.put(
        "/{name}",
        responses={
            status.HTTP_200_OK: {"description": "changed, or was so already"},
            status.HTTP_201_CREATED: {"description": "created", "model": NewTokenOut},
        },
    )
    async def put_token(
        name: str,
        body: Annotated[TokenIn, _EXAMPLE],
        response: Response,
        rotate: Rotate = False,
    ) -> NewTokenOut:
        """Make a token, or change what one may do. A new secret is in the answer, and nowhere else:
        keep it."""
        secret = new_secret()
        wanted = _token(name, body, secret)
        created, stored = await commit(nib, _put(wanted, rotate=rotate), response)
        await _seen(nib, known, name)
        response.status_code = status.HTTP_201_CREATED if created else status.HTTP_200_OK
        response.headers["Cache-Control"] = "no-store"
        is_new = bool(stored.hash) and stored.hash == wanted.hash
        return NewTokenOut(**token_out(stored).model_dump(), secret=secret if is_new else None)

    @routes.delete("/{name}", status_code=status.HTTP_204_NO_CONTENT)
    async def delete_token(name: str, response: Response) -> None:
        """Delete a token; who has it is refused from now on."""
        await commit(nib, lambda draft: draft.delete(Token, name), response)
        await _seen(nib, known, name)

    return routes


def _add_reading(routes: APIRouter, nib: Nib) -> None:
    @routes.get("")
    def list_tokens(page: Paging) -> TokenList:
        """All tokens; no secrets, which nobody has but their owners."""
        with nib.view() as view:
            part = page.cut(view.all(Token), lambda row: row.name)
        return TokenList(items=[token_out(row) for row in part.rows], next=part.next)

    @routes.get("/{name}")
    def get_token(name: str) -> TokenOut:
        """One token."""
        with nib.view() as view:
            return token_out(view.need(Token, name))


def token_out(row: Token) -> TokenOut:
    """A token as it is shown."""
    return TokenOut(
        name=row.name,
        role=row.role,
        services=sorted(row.services),
        subject=row.subject,
        created_ms=row.created_ms,
        expires_ms=row.expires_ms or None,
        created_by=row.created_by,
        expired=has_expired(row.expires_ms),
    )


def _token(name: str, body: TokenIn, secret: str) -> Token:
    """As it would be stored if it were new."""
    if len(set(body.services)) < len(body.services):
        raise FieldError("services", "a service is given twice", "give each once")
    created_ms = now_ms()
    return Token(
        name=check_name("name", name),
        role=body.role,
        hash="" if body.subject else hash_of(secret),
        services=frozenset(body.services),
        subject=body.subject,
        created_ms=created_ms,
        expires_ms=created_ms + 1000 * body.expires_seconds if body.expires_seconds else 0,
        created_by=ACTOR.get().name,
    )


def _put(wanted: Token, *, rotate: bool) -> Change:
    """Whether it is new, and what is stored: a token that was there keeps its secret, unless."""

    def put(draft: Draft) -> tuple[bool, Token]:
        _check_subject(draft, wanted)
        old = draft.get(Token, wanted.name)
        if old is None:
            return True, draft.put(wanted)
        kept = replace(wanted, created_ms=old.created_ms, created_by=old.created_by)
        if old.hash and kept.hash and not rotate:
            kept = replace(kept, hash=old.hash)
        return False, draft.put(kept)

    return put


def _check_subject(draft: Draft, wanted: Token) -> None:
    for row in draft.all(Token):
        if wanted.subject and row.subject == wanted.subject and row.name != wanted.name:
            raise Conflict(
                "subject", f"{row.name} has the subject {row.subject}", "delete that, or change it"
            )


async def _seen(nib: Nib, known: KnownTokens | None, name: str) -> None:
    """Return when this server checks by what is stored, by this request or by a later one."""
    if known is not None:
        seen = nib.when(lambda view: known.holds(view.get(Token, name), name))
        await asyncio.wait_for(asyncio.wrap_future(seen), _SEEN_SECONDS)
