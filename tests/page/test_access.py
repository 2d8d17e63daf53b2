"""The page where requests need a token: the link that has one, and the form."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import pytest
from selenium.webdriver.common.keys import Keys

from prewire import processes
from prewire.settings import load
from tests.page.browser import Browser
from tests.page.site import Site, started
from tests.places import free_ports
from tests.waiting import until


@dataclass(frozen=True, slots=True)
class Guarded:
    """A second REST server on the same database, which wants tokens."""

    url: str
    token: str


@pytest.fixture(scope="module")
def guarded(site: Site) -> Iterator[Guarded]:
    ports = free_ports("api_port") | {"access": "tokens"}
    directory = site.directory / "guarded"
    directory.mkdir()
    settings = load(state_dir=directory, nib=site.settings.nib_remote, **ports)
    child = started(settings, directory)
    try:
        file = directory / "admin.token"
        until(file.exists, bool, "the server wrote the operator's token")
        yield Guarded(f"{settings.api_url}/", file.read_text().strip())
    finally:
        processes.stop([child])


def test_the_link_with_a_token_signs_in_and_the_token_leaves_the_address(
    guarded: Guarded, window: Browser
) -> None:
    window.open(f"{guarded.url}#token={guarded.token}")
    window.await_text("Needs attention")
    assert guarded.token not in window.driver.current_url
    kept = window.run("return JSON.stringify([document.cookie, {...localStorage}])")
    assert guarded.token not in kept
    window.run("sessionStorage.clear()")


def test_the_link_signs_in_where_the_page_is_open_already(
    guarded: Guarded, window: Browser
) -> None:
    window.open(guarded.url)
    window.await_text("Sign in")
    window.go(f"#token={guarded.token}")
    window.await_text("Needs attention")
    assert guarded.token not in window.driver.current_url
    assert guarded.token not in window.read("body")
    window.run("sessionStorage.clear()")
    window.complaints()


def test_without_a_token_the_page_asks_for_one(guarded: Guarded, window: Browser) -> None:
    window.open(guarded.url)
    window.await_text("Sign in")
    assert "web-api" not in window.read()
    field = window.one("input[type=password]")
    field.send_keys("pw_wrong", Keys.ENTER)
    window.await_text("Sign in")
    until(lambda: window.text("[role=alert]"), bool, "it says why")
    field = window.one("input[type=password]")
    field.clear()
    field.send_keys(guarded.token, Keys.ENTER)
    window.await_text("Needs attention")
    window.run("sessionStorage.clear()")
    window.complaints()
