"""Chromium without a screen, driven by Selenium: what a reader of the page sees and does."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final, Literal

from selenium import webdriver
from selenium.webdriver.chrome.service import Service
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.remote.webelement import WebElement

from tests.needs import need
from tests.waiting import until

Colours = Literal["light", "dark"]

WIDE: Final = (1400, 900)
PHONE: Final = (390, 844)
_CHROMIUM: Final = "chromium"
_DRIVER: Final = "chromedriver"
_ARGUMENTS: Final = (
    *("--headless=new", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-sync"),
    *("--disable-background-networking", "--disable-component-update", "--hide-scrollbars"),
    *("--disable-dev-shm-usage", "--enable-precise-memory-info", "--js-flags=--expose-gc"),
)


def is_installed() -> bool:
    """Whether the machine has a Chromium and its driver."""
    return bool(shutil.which(_CHROMIUM) and shutil.which(_DRIVER))


def need_browser() -> None:
    """Skip where there is no Chromium; fail where tests must not be skipped."""
    need(is_installed(), "there is no Chromium (apt-get install chromium chromium-driver)")


class Browser:
    """One window. `driver` is Selenium's."""

    def __init__(self, driver: Any) -> None:
        self.driver = driver

    def open(self, url: str) -> None:
        """Go to an address, even to another fragment of the same page."""
        self.driver.get("about:blank")
        self.driver.get(url)

    def go(self, fragment: str) -> None:
        """Go to a place of the page that is open, as a link does."""
        self.run("location.hash = arguments[0]", fragment)

    def run(self, script: str, *arguments: Any) -> Any:
        """What a script returns."""
        return self.driver.execute_script(script, *arguments)

    def text(self, selector: str = "main") -> str:
        """The text that can be read there; empty where there is nothing."""
        found = self.driver.find_elements(By.CSS_SELECTOR, selector)
        return " ".join(found[0].text.split()) if found else ""

    def all(self, selector: str) -> list[WebElement]:
        """Elements, in order."""
        return list(self.driver.find_elements(By.CSS_SELECTOR, selector))

    def one(self, selector: str) -> WebElement:
        """The first of these, as soon as there is one."""
        return until(lambda: self.all(selector), bool, f"there is {selector}")[0]

    def await_text(self, wanted: str, selector: str = "main", timeout_s: float = 60.0) -> str:
        """Text that is there, or comes."""
        return until(
            lambda: self.read(selector), lambda seen: wanted in seen, f"{wanted!r}", timeout_s
        )

    def read(self, selector: str = "main") -> str:
        """All text there, seen or not, as the document has it now."""
        script = "const e = document.querySelector(arguments[0]); return e ? e.innerText : ''"
        return " ".join(str(self.run(script, selector)).split())

    def press(self, *keys: str) -> None:
        """Keys, to whatever has the focus."""
        self.driver.switch_to.active_element.send_keys(*keys)

    def focused(self) -> str:
        """The text of what has the focus, or its label."""
        script = "const e = document.activeElement; return e.ariaLabel || e.innerText || e.tagName"
        return " ".join(str(self.run(script)).split())

    def tab(self) -> str:
        """Go on by the Tab key; what has the focus then."""
        self.press(Keys.TAB)
        return self.focused()

    def size(self, width: int, height: int) -> None:
        """The size of what is seen of the page, exactly."""
        metrics = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": width < 600}
        self.driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", metrics)

    def colours(self, scheme: Colours) -> None:
        """What the system prefers."""
        feature = {"name": "prefers-color-scheme", "value": scheme}
        self.driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": [feature]})

    def complaints(self) -> list[str]:
        """Errors that the browser logged since the last time, violations of policy included."""
        return [each["message"] for each in self.driver.get_log("browser") if _is_bad(each)]

    def heap_bytes(self) -> int:
        """What the page's objects take after what nobody needs was collected."""
        self.driver.execute_cdp_cmd("HeapProfiler.collectGarbage", {})
        found = self.driver.execute_cdp_cmd("Runtime.getHeapUsage", {})
        return int(found["usedSize"])

    def shoot(self, path: Path) -> None:
        """A picture of what is seen."""
        self.driver.save_screenshot(str(path))


def _is_bad(entry: dict[str, Any]) -> bool:
    return entry["level"] == "SEVERE" and "favicon" not in entry["message"]


@contextmanager
def browser() -> Iterator[Browser]:
    """A new browser with nothing kept from before."""
    with tempfile.TemporaryDirectory(prefix="pw-browser-") as directory:
        options = webdriver.ChromeOptions()
        options.binary_location = shutil.which(_CHROMIUM) or _CHROMIUM
        for argument in (*_ARGUMENTS, f"--user-data-dir={directory}"):
            options.add_argument(argument)
        if os.geteuid() == 0:
            options.add_argument("--no-sandbox")
        options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
        service = Service(executable_path=shutil.which(_DRIVER) or _DRIVER)
        driver = webdriver.Chrome(options=options, service=service)
        try:
            window = Browser(driver)
            window.size(*WIDE)
            yield window
        finally:
            driver.quit()
