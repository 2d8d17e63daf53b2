"""Who can read the page: by keyboard, on a phone, in the dark, and in an outage."""

from __future__ import annotations

import re
import time

import httpx
from selenium.webdriver.common.keys import Keys

from nib.intent import Service
from tests.page import demand
from tests.page.browser import PHONE, Browser
from tests.page.site import Site
from tests.waiting import until

VIEWS = ("", "topology", "services", "services/web-api", "policies", "plans", "events", "explain")


def test_the_keyboard_reaches_content_navigation_and_tables(page: Browser) -> None:
    page.await_text("Needs attention")
    page.run("document.activeElement.blur()")
    assert page.tab() == "Skip to content"
    page.press(Keys.ENTER)
    assert page.run("return document.activeElement.id") == "main"
    assert page.run("return location.hash") in ("", "#/")
    link = page.one(".bar nav a[href='#/services']")
    link.send_keys(Keys.ENTER)
    page.await_text("By name")
    reached = [page.tab() for _ in range(12)]
    assert "Filter by name, address or state" in reached
    assert "Services" in reached, "the table can be scrolled"
    assert any(each in ("Service", "Service ↑") for each in reached)
    outline = "return getComputedStyle(document.activeElement).outlineStyle"
    assert page.run(outline) == "solid", "the focus can be seen"


def test_every_part_has_a_name_for_those_who_hear_it(page: Browser) -> None:
    page.go("#/services/web-api")
    page.await_text("Containers")
    nameless = page.run("""
      return [...document.querySelectorAll("input, select, button, [role=img], [role=region], nav")]
        .filter(e => !(e.ariaLabel || e.labels?.length || e.innerText?.trim()))
        .map(e => e.outerHTML.slice(0, 120))""")
    assert nameless == []
    assert len(page.all("main")) == len(page.all("h1")) == len(page.all("nav")) == 1


def test_a_phone_scrolls_downward_only(page: Browser) -> None:
    page.size(*PHONE)
    for view in VIEWS:
        page.go(f"#/{view}")
        until(lambda: page.all("main h1"), bool, "the view is there")
        width = page.run("return document.documentElement.scrollWidth")
        assert width <= PHONE[0], view


def test_colours_follow_the_system_until_somebody_chooses(page: Browser) -> None:
    ground = "return getComputedStyle(document.body).backgroundColor"
    light = page.run(ground)
    page.colours("dark")
    dark = page.run(ground)
    assert light != dark
    switch = page.one("button.theme")
    switch.click()
    assert page.run(ground) == light, "light was chosen"
    switch.click()
    assert page.run(ground) == dark
    page.colours("light")
    assert page.run(ground) == dark, "dark stays chosen"
    switch.click()
    assert page.run(ground) == light


def test_an_outage_is_said_and_what_changed_meanwhile_is_shown(page: Browser, site: Site) -> None:
    page.go("#/services")
    began = int(time.time())
    site.write(Service("born-before", "10.99.0.6", 80))
    page.await_text("born-before")
    site.stop_api()
    notice = page.await_text("What is shown is as of", ".notice.bad", timeout_s=60)
    seconds = range(began, int(time.time()) + 1)
    assert any(time.strftime("%H:%M:%S", time.localtime(at)) in notice for at in seconds), notice
    assert "Try now" in notice
    assert page.text(".live") == "Offline"
    assert "web-api" in page.read(), "what was known stays"
    site.write(Service("born-meanwhile", "10.99.0.7", 80))
    site.start_api()
    page.one(".notice button").click()
    page.await_text("born-meanwhile", timeout_s=60)
    until(lambda: page.text(".live"), lambda text: text == "Live", "it is live again")
    assert page.all(".notice.bad") == []
    page.complaints()


def test_counters_that_are_away_are_said(page: Browser, site: Site) -> None:
    page.go("#/services")
    until(page.read, lambda text: "/s " in text, "rates are shown")
    site.counters.away = True
    try:
        seen = page.await_text("Rates are as of", ".notice.warn", timeout_s=60)
    finally:
        site.counters.away = False
    assert "503" in seen
    assert "web-api" in page.read()
    until(lambda: page.all(".notice"), lambda found: not found, "rates are known again")


def test_the_first_data_is_there_soon(page: Browser, site: Site) -> None:
    page.driver.execute_cdp_cmd("Page.addScriptToEvaluateOnNewDocument", {"source": FIRST})
    times = []
    for _ in range(3):
        page.open(site.url)
        times.append(until(lambda: page.run("return window.firstData"), bool, "figures are drawn"))
    assert min(times) <= 1000, times


FIRST = """
new MutationObserver((_, observer) => {
  if (!document.querySelector(".figures")) return;
  window.firstData = performance.now();
  observer.disconnect();
}).observe(document, { childList: true, subtree: true });
"""


def test_services_that_were_looked_at_are_followed_no_longer(page: Browser, site: Site) -> None:
    for name in demand.names(8):
        page.go(f"#/services/{name}")
        page.await_text(f"{name}-1")
    until(lambda: watchers(site), lambda count: count == 2, "the page's stream and one service's")
    page.go("#/events")
    until(lambda: watchers(site), lambda count: count == 1, "the page's stream alone")


def watchers(site: Site) -> float:
    """How many streams the REST server has open."""
    told = httpx.get(f"{site.settings.api_url}/metrics").text
    return float(re.search(r"^prewire_watchers (\S+)", told, re.M)[1])  # type: ignore[index]


def test_of_events_the_newest_are_kept_though_nobody_looks(page: Browser) -> None:
    kept = page.run("""
      return import(`${location.origin}/page/data/store.js`).then(({ Store }) => {
        const store = new Store({ events: 10 });
        for (let at = 100; at < 121; at++) store.put("events", String(at), {});
        for (let at = 100; at < 150; at++) store.put("services", String(at), {});
        return [[...store.kind("events").keys()], store.kind("services").size];
      });""")
    assert kept == [[str(at) for at in range(111, 121)], 50]


def test_live_data_leaves_nothing_behind(page: Browser) -> None:
    page.await_text("Needs attention")
    sizes = []
    for _ in range(4):
        until_later = time.monotonic() + 2
        until(time.monotonic, lambda now, end=until_later: now > end, "two seconds pass")  # type: ignore[misc]
        sizes.append(page.heap_bytes())
    assert sizes[-1] - sizes[0] < 1_000_000, sizes
