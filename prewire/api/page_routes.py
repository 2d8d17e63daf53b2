"""The web page's files: `/` and `/page/...`, for browsers.

Owns: which files there are (those packaged, read once; no path is ever looked up on disk), their
compressed form, their tags, and what a browser may do with them (Content-Security-Policy).
Must not know: what the page shows; it asks REST for that like any other client.
"""

from __future__ import annotations

import gzip
import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from importlib.resources.abc import Traversable
from typing import Final

from fastapi import APIRouter, HTTPException, Request, Response

from prewire.api.conditional import is_known

_PACKAGE: Final = "prewire.page"
_INDEX: Final = "index.html"
_TYPES: Final[Mapping[str, str]] = {
    "html": "text/html; charset=utf-8",
    "css": "text/css; charset=utf-8",
    "js": "text/javascript; charset=utf-8",
    "svg": "image/svg+xml",
    "md": "text/plain; charset=utf-8",
    "LICENSE": "text/plain; charset=utf-8",
}
_POLICY: Final = "; ".join(
    (
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self'",
        "img-src 'self'",
        "connect-src 'self'",
        "base-uri 'none'",
        "form-action 'none'",
        "frame-ancestors 'none'",
    )
)
_HEADERS: Final[Mapping[str, str]] = {
    "Content-Security-Policy": _POLICY,
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cache-Control": "no-cache",  # kept, and asked for again by its tag
    "Vary": "Accept-Encoding",
}


@dataclass(frozen=True, slots=True)
class PageFile:
    """One file as it is served; etag: of its content, quoted."""

    content: bytes
    zipped: bytes
    media_type: str
    etag: str


def router() -> APIRouter:
    """The routes; they are for browsers and not part of the described API."""
    routes = APIRouter(include_in_schema=False)

    @routes.api_route("/", methods=["GET", "HEAD"])
    def get_index(request: Request) -> Response:
        """The page."""
        return _answer(request, _INDEX)

    @routes.api_route("/page/{path:path}", methods=["GET", "HEAD"])
    def get_file(request: Request, path: str) -> Response:
        """A file of the page."""
        return _answer(request, path)

    return routes


@cache
def page_files() -> Mapping[str, PageFile]:
    """All files by their path below the page's folder."""
    return {path: _packed(path, file.read_bytes()) for path, file in _walk(files(_PACKAGE), "")}


def _answer(request: Request, path: str) -> Response:
    file = page_files().get(path)
    if file is None:
        raise HTTPException(404)
    headers = {**_HEADERS, "ETag": file.etag}
    if is_known(file.etag, request.headers.get("if-none-match", "")):
        return Response(status_code=304, headers=headers)
    content = file.content
    if _takes_gzip(request.headers.get("accept-encoding", "")):
        headers["Content-Encoding"] = "gzip"
        content = file.zipped
    return Response(content, media_type=file.media_type, headers=headers)


def _takes_gzip(header: str) -> bool:
    for offer in header.split(","):
        coding, _, quality = offer.strip().partition(";")
        if coding.strip() == "gzip":
            return quality.replace(" ", "") not in ("q=0", "q=0.0", "q=0.00", "q=0.000")
    return False


def _walk(folder: Traversable, prefix: str) -> Iterator[tuple[str, Traversable]]:
    for each in folder.iterdir():
        if each.is_dir():
            yield from _walk(each, f"{prefix}{each.name}/")
        elif each.name.rpartition(".")[2] in _TYPES:
            yield prefix + each.name, each


def _packed(path: str, content: bytes) -> PageFile:
    digest = hashlib.sha256(content).hexdigest()[:32]
    return PageFile(
        content=content,
        zipped=gzip.compress(content, 9, mtime=0),
        media_type=_TYPES[path.rpartition(".")[2]],
        etag=f'"{digest}"',
    )
