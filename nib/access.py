"""Who may use the REST server, as frozen, checked values.

A token's secret is not here: only its SHA-256, so that who reads the database, or a backup of it,
has no token. Secrets are random and long; a slow hash would add nothing.

Must not know: OVSDB, HTTP, what a role may do.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

from nib.errors import FieldError
from nib.fields import MAX_INTEGER, check_choice, check_integer, check_name, check_set, check_text

ROLES: Final = frozenset({"viewer", "registrar", "operator"})
MAX_SERVICES: Final = 1000

_HASH: Final = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True, slots=True)
class Token:
    """One identity: what it may do, and how it is known.

    hash: SHA-256 of the secret in hex; "" where the identity is known by its subject alone.
    subject: as in "cert:CN". services: where a registrar may register containers; empty for others.
    Times are milliseconds since 1970; expires_ms 0: never.
    """

    name: str
    role: str
    hash: str = ""
    services: frozenset[str] = frozenset()
    subject: str = ""
    created_ms: int = 0
    expires_ms: int = 0
    created_by: str = ""

    def __post_init__(self) -> None:
        check_name("name", self.name)
        check_choice("role", self.role, ROLES)
        if self.hash and not _HASH.fullmatch(self.hash):
            raise FieldError("hash", "it is no SHA-256", "give 64 hex digits")
        for service in check_set("services", self.services, MAX_SERVICES):
            check_name("services", service)
        if (self.role == "registrar") != bool(self.services):
            remedy = "give the services of a registrar, and none for another role"
            raise FieldError("services", f"{len(self.services)} for a {self.role}", remedy)
        check_text("subject", self.subject, shortest=0)
        check_integer("created_ms", self.created_ms, 0, MAX_INTEGER)
        check_integer("expires_ms", self.expires_ms, 0, MAX_INTEGER)
        check_text("created_by", self.created_by, shortest=0)
        if not (self.hash or self.subject):
            raise FieldError("hash", "neither a secret nor a subject", "give one of them")

    @property
    def key(self) -> str:
        """The name."""
        return self.name
