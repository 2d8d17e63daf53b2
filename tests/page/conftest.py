"""One site and one browser for all tests of the page."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.needs import need_ovs
from tests.page.browser import WIDE, Browser, browser, need_browser
from tests.page.site import Site, serving

SERVICES = 40


@pytest.fixture(scope="session")
def site() -> Iterator[Site]:
    need_browser()
    need_ovs()
    with serving(SERVICES) as up:
        yield up


@pytest.fixture(scope="session")
def window() -> Iterator[Browser]:
    need_browser()
    with browser() as opened:
        yield opened


@pytest.fixture
def page(site: Site, window: Browser) -> Iterator[Browser]:
    """The overview with live data, in a window as wide as a desk's; it must complain of nothing."""
    window.size(*WIDE)
    window.colours("light")
    if window.driver.current_url.startswith(site.url):
        window.go("#/")
    else:
        window.open(site.url)
    window.await_text("Live", ".live")
    window.await_text("Needs attention")
    window.complaints()
    yield window
    assert window.complaints() == []
