"""Taking secrets out of text and data, wherever they stand.

What is known to be a secret here (tokens, passwords in settings) is taken out literally; what only
looks like one (keys in PEM, bearer tokens, JWTs, passwords in URLs, values named as secrets are) by
its look. Too much is taken out rather than too little.
Must not know: where text is from.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any, Final

REMOVED: Final = "[removed]"

_SHORTEST: Final = 4  # of a secret that is looked for literally; shorter ones would be anywhere
_NAMED: Final = (
    r"[\w.-]{0,40}(?:passw(?:or)?d|passphrase|secret|token|credential|bearer"
    r"|(?:api|private|access|auth)[_-]?key)[\w.-]{0,40}"
)
_SECRET_NAME: Final = re.compile(_NAMED, re.IGNORECASE)

# A key in PEM: also as JSON has it, with \n for line ends, and one that is cut off.
_KEY: Final = re.compile(
    r"-----BEGIN [A-Z0-9 ]*PRIVATE KEY-----.*?(?:-----END [A-Z0-9 ]*-----|\Z)", re.DOTALL
)
_OWN_TOKEN: Final = re.compile(r"\bpw_[A-Za-z0-9_.-]+")
_JWT: Final = re.compile(r"\beyJ[\w-]+\.[\w-]+\.[\w-]*")
_HEADER: Final = re.compile(r"\b(Bearer|Basic|Digest)\s+[^\s\"',;]+", re.IGNORECASE)
_IN_URL: Final = re.compile(r"([a-zA-Z][a-zA-Z0-9+.-]{0,20}://)[^/\s\"'<>]*@")
_ASSIGNED: Final = re.compile(
    rf"\b({_NAMED})(\\?[\"']?\s*[=:]\s*\\?[\"']?)(?!null\b|true\b|false\b)[^\s\"',;&}}\\]+",
    re.IGNORECASE,
)
_LOOKS: Final = (
    (_KEY, REMOVED),
    (_OWN_TOKEN, REMOVED),
    (_JWT, REMOVED),
    (_HEADER, rf"\1 {REMOVED}"),
    (_IN_URL, rf"\1{REMOVED}@"),
    (_ASSIGNED, rf"\1\2{REMOVED}"),
)


class Redactor:
    """Takes these secrets out, and what looks like one."""

    def __init__(self, secrets: Iterable[str]) -> None:
        known = {each for each in secrets if len(each) >= _SHORTEST}
        self._known = sorted(known, key=len, reverse=True)

    def text(self, text: str) -> str:
        """The text without secrets."""
        for secret in self._known:
            text = text.replace(secret, REMOVED)
        for pattern, instead in _LOOKS:
            text = pattern.sub(instead, text)
        return text

    def data(self, value: Any) -> Any:
        """The same of data as JSON has it: also what has the name of a secret."""
        if isinstance(value, str):
            return self.text(value)
        if isinstance(value, Mapping):
            return {str(key): self._member(str(key), each) for key, each in value.items()}
        if isinstance(value, list | tuple):
            return [self.data(each) for each in value]
        return value

    def _member(self, name: str, value: Any) -> Any:
        is_secret = isinstance(value, str) and value and _SECRET_NAME.fullmatch(name)
        return REMOVED if is_secret else self.data(value)
