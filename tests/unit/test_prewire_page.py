"""The page's files: what is packaged, how it is served, and what no file may do."""

from __future__ import annotations

import asyncio
import gzip
import re
from pathlib import Path
from typing import Final

import httpx
import pytest
from fastapi import FastAPI

from nib.events import EVENT_KINDS
from prewire.api import problems
from prewire.api.page_routes import page_files, router

PAGE: Final = Path("prewire/page")
MOST_BYTES: Final = 300_000
MOST_LINES: Final = 250
OURS: Final = sorted(each for each in PAGE.rglob("*.js") if "vendor" not in each.parts)
# What makes markup or code of text.
_SINKS: Final = re.compile(
    r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|\beval\(|new Function"
)
_IMPORT: Final = re.compile(r"""(?:from|import\()\s*["'](\.{1,2}/[^"']+)["']""")


class Http:
    """The routes, asked without a socket."""

    def __init__(self) -> None:
        self.app = FastAPI()
        problems.install(self.app)
        self.app.include_router(router())

    def get(self, path: str, headers: dict[str, str] | None = None) -> httpx.Response:
        return asyncio.run(self._get(path, headers or {}))

    async def _get(self, path: str, headers: dict[str, str]) -> httpx.Response:
        transport = httpx.ASGITransport(app=self.app)
        async with httpx.AsyncClient(transport=transport, base_url="http://page") as client:
            return await client.get(path, headers=headers)


@pytest.fixture(scope="module")
def http() -> Http:
    return Http()


def test_every_file_of_the_folder_is_packaged() -> None:
    there = {
        str(each.relative_to(PAGE))
        for each in PAGE.rglob("*")
        if each.is_file() and each.suffix not in {".py", ".pyc"}
    }
    assert set(page_files()) == there


def test_the_page_may_only_do_what_its_own_files_say(http: Http) -> None:
    policy = http.get("/").headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "script-src 'self';" in policy, "no inline script, no other server"
    assert "unsafe" not in policy
    assert "frame-ancestors 'none'" in policy


def test_a_file_is_compressed_and_kept_by_its_tag(http: Http) -> None:
    plain = http.get("/page/main.js", headers={"Accept-Encoding": "identity"})
    assert plain.content == (PAGE / "main.js").read_bytes()
    assert "content-encoding" not in plain.headers
    zipped = http.get("/page/main.js", headers={"Accept-Encoding": "br, gzip"})
    assert zipped.headers["content-encoding"] == "gzip"
    assert zipped.content == plain.content
    tag = plain.headers["etag"]
    for given in (tag, f'"other", W/{tag}'):
        again = http.get("/page/main.js", headers={"If-None-Match": given})
        assert (again.status_code, again.content) == (304, b"")
    assert http.get("/page/main.js", headers={"If-None-Match": '"x"'}).status_code == 200


@pytest.mark.parametrize(
    "path",
    [
        "/page/../settings.py",
        "/page/%2e%2e/settings.py",
        "/page/..%2f..%2fsetup.cfg",
        "/page//etc/passwd",
        "/page/__init__.py",
        "/page/data",
        "/page/",
        "/page/main.js%00",
    ],
)
def test_no_path_leads_out_of_the_page(http: Http, path: str) -> None:
    answer = http.get(path)
    assert answer.status_code == 404
    assert answer.json()["remedy"]


def test_all_of_the_page_is_small_once_compressed() -> None:
    sizes = {path: len(file.zipped) for path, file in page_files().items() if _is_loaded(path)}
    assert sum(sizes.values()) <= MOST_BYTES, sizes
    assert all(gzip.decompress(file.zipped) == file.content for file in page_files().values())


def _is_loaded(path: str) -> bool:
    return path.rpartition(".")[2] in {"html", "css", "js", "svg"}


@pytest.mark.parametrize("module", OURS, ids=lambda path: str(path.relative_to(PAGE)))
def test_a_module_is_short_and_makes_no_markup_of_text(module: Path) -> None:
    text = module.read_text()
    assert text.startswith("// "), "it says what it is for"
    assert text.count("\n") < MOST_LINES
    assert not _SINKS.search(text)
    for imported in _IMPORT.findall(text):
        assert (module.parent / imported).is_file(), imported


def test_only_the_data_modules_talk_to_rest() -> None:
    talking = {
        str(module.relative_to(PAGE))
        for module in OURS
        if re.search(r"\bfetch\(|new EventSource|XMLHttpRequest", module.read_text())
    }
    assert talking == {"data/rest.js"}


def test_events_can_be_filtered_by_every_kind_there_is() -> None:
    text = (PAGE / "views/events.js").read_text()
    listed = re.search(r"const KINDS = \[(.*?)\];", text, re.DOTALL)
    assert listed
    assert set(re.findall(r'"([\w-]+)"', listed[1])) == EVENT_KINDS


def test_the_start_loads_files_that_are_there_and_no_inline_script() -> None:
    index = (PAGE / "index.html").read_text()
    for named in re.findall(r'(?:href|src)="(page/[^"]+)"', index):
        assert named.removeprefix("page/") in page_files(), named
    assert not re.search(r"<script(?![^>]*\bsrc=)|<style|\son\w+=", index)


def test_every_vendored_library_has_its_licence() -> None:
    vendor = PAGE / "vendor"
    text = (vendor / "README.md").read_text()
    for library in vendor.glob("*.js"):
        row = next(line for line in text.splitlines() if f"`{library.name}`" in line)
        licences = re.findall(r"\]\((\S+\.LICENSE)\)", row)
        assert licences
        assert all((vendor / licence).stat().st_size > 500 for licence in licences)
