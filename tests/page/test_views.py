"""Clicking through the page with live data: every view shows what the database has."""

from __future__ import annotations

import re
import time
from dataclasses import replace

from selenium.webdriver.common.keys import Keys
from selenium.webdriver.support.ui import Select

from nib.events import Event, event_id
from nib.intent import Container, Service
from nib.observed import Health
from nib.prewarm import Override
from nib.topology import Switch
from tests.page import fabric
from tests.page.browser import Browser
from tests.page.site import Site
from tests.waiting import until

MARKUP = "<img src=x onerror=alert(1)> & <b>bold</b>"
VIEWS = {
    "Topology": "8 switches, 12 links",
    "Services": "web-api",
    "Policies": "Rates in force and what passes",
    "Plans": "Prewarm requests",
    "Dependencies": "a rise at the left precedes one at the right",
    "Events": "Load older events",
    "Explain": "What the flows that are wanted do with it",
    "Overview": "Needs attention",
}


def test_every_view_is_one_click_away_and_shows_data(page: Browser) -> None:
    for name, wanted in VIEWS.items():
        link = next(each for each in page.all(".bar nav a") if each.text == name)
        link.click()
        until(page.read, lambda seen, w=wanted: w.lower() in seen.lower(), f"{name}: {wanted}")  # type: ignore[misc]
        assert page.one(".bar nav a[aria-current=page]").text == name


def test_the_overview_has_figures_and_what_needs_attention(page: Browser) -> None:
    page.await_text("wanted without a container")
    page.await_text("was not seen to arrive")
    seen = until(page.read, lambda text: "/s " in text and "Gbit/s" in text, "rates are shown")
    assert "Switches 8" in seen
    assert re.search(r"Services \d+ \d+ without a container", seen)


def test_a_service_shows_slots_containers_load_plan_and_policies(page: Browser, site: Site) -> None:
    page.open(f"{site.url}#/services/web-api")
    page.await_text("room for")
    page.one(".chart canvas")
    until(lambda: len(page.all(".slots i")), lambda n: n in (64, 128, 256), "slots are drawn")
    seen = page.await_text("web-api-1")
    for wanted in ("Load and forecast", "p99", "Plan and prewarm", "Slots", "Policies and meters"):
        assert wanted in seen
    until(page.read, lambda text: "/s " in text, "rates of containers are shown")


def test_what_changes_is_shown_without_a_reload(page: Browser, site: Site) -> None:
    page.go("#/services")
    page.await_text("web-api")
    site.write(Service("a-new-one", "10.99.0.1", 80))
    page.await_text("a-new-one")
    page.go("#/services/a-new-one")
    page.await_text("prewire container set a-new-one")
    port = Container("a-new-one", "c-1", "10.99.1.1", 80, "02:00:00:ff:00:01", iface_id="none")
    site.write(port, Health("a-new-one", "c-1", up=False, reason=MARKUP))
    page.await_text("unplaced")
    assert all("503" in each for each in page.complaints()), "there is no forecast of it"


def test_text_of_the_server_is_never_markup(page: Browser, site: Site) -> None:
    now = int(time.time() * 1000)
    event = Event(event_id(now), now, "service", "web-api", "changed", "warning", MARKUP, MARKUP)
    site.write(event, Override("service", "web-api", now + 600_000, 7, reason=MARKUP))
    page.go("#/events?severity=warning")
    page.await_text(MARKUP)
    page.go("#/services/web-api")
    page.await_text(MARKUP)
    assert page.all("main img") == []


def test_a_packet_to_a_service_is_explained(page: Browser) -> None:
    page.go("#/explain")
    until(lambda: len(page.all("form select")), lambda n: n == 3, "the form is there")
    Select(page.all("form select")[2]).select_by_visible_text("web-api")
    page.one("form button").click()
    seen = page.await_text("Containers it may go to")
    assert "web-api-1" in seen
    assert "leaf1" in seen
    assert "tp_dst=443" in page.run("return location.hash").replace("%3D", "=")


def test_a_service_links_to_the_explanation_of_a_packet_to_it(page: Browser, site: Site) -> None:
    site.write(Service("six", "fd00::99", 80))
    page.go("#/services/six")
    link = until(lambda: page.all("main .head .tools a"), bool, "the link is there")[0]
    link.click()
    page.await_text("Its way")
    form = "form select, form input.mono"
    told = page.run(f"return [...document.querySelectorAll('{form}')].map(each => each.value)")
    assert told[2] == "six"
    assert told[3].endswith("tcp6,ipv6_dst=fd00::99,tp_dst=80")
    Select(page.all("form select")[2]).select_by_visible_text("web-api")
    packet = page.run("return document.querySelector('form input.mono').value")
    assert ",tcp," in packet
    assert "ipv6" not in packet
    assert all("503" in each for each in page.complaints()), "there is no forecast of it"


def test_a_packet_that_cannot_be_read_is_refused_with_a_remedy(page: Browser) -> None:
    page.go("#/explain?packet=nonsense%3D1")  # a link asks by itself
    alert = until(lambda: page.text("[role=alert]"), bool, "a problem is shown")
    assert "A field is invalid" in alert
    assert len(page.complaints()) == 1, "the 422 itself"


def test_what_is_not_there_says_what_to_do(page: Browser) -> None:
    page.go("#/services/nobody")
    page.await_text("prewire service set nobody")
    page.go("#/policies/nobody")
    page.await_text("There is no such policy")
    page.go("#/nowhere")
    page.await_text("There is no page")
    page.go("#/services?filter=zzz")
    page.await_text("No service fits")


def test_a_switch_that_goes_is_shown_in_the_topology(page: Browser, site: Site) -> None:
    page.go(f"#/topology?switch={fabric.leaf(2)}")
    page.await_text("Datapath id")
    page.one(".graph canvas")
    with site.nib.view() as view:
        leaf = view.need(Switch, fabric.leaf(2))
    site.write(replace(leaf, connected=False))
    page.await_text("away")
    page.go("#/")
    page.await_text("is not connected")
    site.write(leaf)


def test_tables_are_sorted_by_their_columns(page: Browser) -> None:
    page.go("#/services")
    page.await_text("web-api")
    button = next(each for each in page.all("thead button") if each.text.startswith("Ready"))
    button.send_keys(Keys.ENTER)
    button.send_keys(Keys.ENTER)
    order = page.run(
        "return [...document.querySelectorAll('tbody tr')].map(r => parseInt(r.cells[3].innerText))"
    )
    known = [each for each in order if each is not None]
    assert known == sorted(known, reverse=True)
