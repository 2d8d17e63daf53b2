"""Every error this room raises.

Owns: the error types and their wording shape: what is wrong, and what to do about it.
Must not know: rows, sockets or processes; it only carries text.
"""

from __future__ import annotations


class NibError(Exception):
    """Base of all errors of the state database."""


class _AboutField(NibError):
    """What is wrong with a field, and what to do about it."""

    def __init__(self, field: str, message: str, remedy: str) -> None:
        super().__init__(f"{field}: {message}; {remedy}")
        self.field = field
        self.message = message
        self.remedy = remedy


class FieldError(_AboutField):
    """A record's field holds a value that is not allowed."""


class Conflict(_AboutField):
    """The database refuses a change because of another row.

    `field` names the columns concerned, joined by '/' when there are several
    ('vip/port/protocol').
    """


class NotFound(NibError):
    """No record of `kind` ('Service', 'Container', ...) has this key."""

    def __init__(self, kind: str, key: object) -> None:
        shown = "/".join(key) if isinstance(key, tuple) else str(key)
        spoken = "".join(f" {each.lower()}" if each.isupper() else each for each in kind)
        super().__init__(f"there is no {spoken.strip()} {shown}")
        self.kind = kind
        self.key = key


class SchemaMismatch(NibError):
    """The database is absent or has a schema version this program cannot work with."""

    def __init__(self, have: str, want: str, remedy: str) -> None:
        super().__init__(f"the database has {have}, this program needs {want}; {remedy}")
        self.have = have
        self.want = want
        self.remedy = remedy


class NibUnavailable(NibError):
    """The database at `remote` did not answer, or its answer was lost (`why` tells which)."""

    remedy = "start it (`prewire up` brings its own), or correct PREWIRE_NIB; then try again"

    def __init__(self, remote: str, why: str) -> None:
        super().__init__(f"state database at {remote}: {why}")
        self.remote = remote
        self.why = why


class ServerError(NibError):
    """An ovsdb-server or one of its tools could not do what was asked of it."""

    def __init__(self, message: str, remedy: str) -> None:
        super().__init__(f"{message}; {remedy}")
        self.message = message
        self.remedy = remedy
