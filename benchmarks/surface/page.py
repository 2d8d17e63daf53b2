"""The web page with 200 services: how soon it shows data, what it loads, what it keeps.

Real processes and a real browser; no switch runs, so a page of counters stands for the
controller's. The browser shares the processors with all of them.
"""

from __future__ import annotations

import time
from typing import Any, Final

from benchmarks.errors import BenchmarkFailed
from benchmarks.results.report import Outcome, Target, spread
from tests.page.browser import Browser, browser, is_installed
from tests.page.site import Site, serving
from tests.waiting import until

SERVICES: Final = 200
LOADS: Final = 7
SECONDS: Final = 60
_VIEWS: Final = ("", "services", "topology", "services/web-api", "policies", "plans", "events")
_FIRST_DATA: Final = """
new MutationObserver((_, observer) => {
  if (!document.querySelector(".figures")) return;
  window.firstData = performance.now();
  observer.disconnect();
}).observe(document, { childList: true, subtree: true });
"""
_LOADED: Final = """
const all = [...performance.getEntriesByType("navigation"),
  ...performance.getEntriesByType("resource").filter(e => e.name.includes("/page/"))];
return all.reduce((sum, each) => sum + each.encodedBodySize, 0);
"""


def measure(rounds: int | None, seconds: int | None) -> Outcome:
    """`rounds` times the page is loaded; `seconds` of live data are watched then."""
    if not is_installed():
        raise BenchmarkFailed("there is no Chromium: apt-get install chromium chromium-driver")
    with serving(SERVICES) as site, browser() as window:
        window.driver.execute_cdp_cmd(
            "Page.addScriptToEvaluateOnNewDocument", {"source": _FIRST_DATA}
        )
        cold = [first_data_ms(window, site, kept=False) for _ in range(rounds or LOADS)]
        kept = [first_data_ms(window, site, kept=True) for _ in range(rounds or LOADS)]
        for view in _VIEWS:
            window.go(f"#/{view}")
            until(lambda: window.all("main h1"), bool, "the view is there")
            time.sleep(1)  # what a view asks for comes meanwhile
        loaded = float(window.run(_LOADED))
        heap = heaps_mib(window, seconds or SECONDS)
    third = max(1, len(heap) // 3)
    grown = min(heap[-third:]) - min(heap[:third])
    rows = {
        "first data, nothing kept, ms": spread(cold),
        "first data, files kept, ms": spread(kept),
        "heap, MiB": spread(heap),
    }
    targets = (
        Target(
            "first data, median, ms",
            rows["first data, nothing kept, ms"]["median"],
            1000,
            at_least=False,
        ),
        Target("all files, compressed, kB", loaded / 1000, 300, at_least=False),
        Target("heap, last third over first third, MiB", grown, 1, at_least=False),
    )
    title = f"the page with {SERVICES} services; heap over {seconds or SECONDS} s of live data"
    note = "heap: after a collection, every second, in turn on all views; its least in each third"
    return Outcome("page", title, rows, targets, (note,), {"heap, MiB": heap})


def first_data_ms(window: Browser, site: Site, *, kept: bool) -> float:
    """From the beginning of navigation to figures in the document, by the browser's clock."""
    if not kept:
        window.driver.execute_cdp_cmd("Network.clearBrowserCache", {})
    window.open(site.url)
    found: Any = until(lambda: window.run("return window.firstData"), bool, "figures are drawn")
    window.await_text("Live", ".live")
    return float(found)


def heaps_mib(window: Browser, seconds: int) -> list[float]:
    """What is kept, every second; the view changes every five."""
    found = []
    for second in range(seconds):
        if second % 5 == 0:
            window.go(f"#/{_VIEWS[second // 5 % len(_VIEWS)]}")
        time.sleep(1)
        found.append(window.heap_bytes() / 2**20)
    return found
