"""Make the pictures of the page in docs/images: `python scripts/screenshots.py [DIRECTORY]`.

They show the made-up fabric of tests/page on real processes, in headless Chromium.
"""

from __future__ import annotations

import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from PIL import Image  # comes with matplotlib

ROOT: Final = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from tests.page.browser import Browser, Colours, browser  # noqa: E402 - after the path
from tests.page.site import serving  # noqa: E402
from tests.waiting import until  # noqa: E402

WIDTH: Final = 1280
MOST_BYTES: Final = 200_000
_LIVE_S: Final = 40  # until sparklines have something to show


@dataclass(frozen=True, slots=True)
class Picture:
    """One of them; wanted: what is there once everything is drawn."""

    name: str
    fragment: str
    wanted: str
    colours: Colours
    height: int


PICTURES: Final = (
    Picture("page-overview.png", "#/", ".spark path", "light", 860),
    Picture("page-service.png", "#/services/shop-api", ".chart canvas", "dark", 960),
    Picture(
        "page-topology.png", "#/topology?link=00000000000000b2/down5", ".graph canvas", "light", 900
    ),
)


def main() -> int:
    """The command; returns its exit code."""
    directory = Path(sys.argv[1]) if len(sys.argv) > 1 else ROOT / "docs" / "images"
    with serving(200) as site, browser() as window:
        window.size(WIDTH, 900)
        window.open(site.url)
        window.await_text("Live", ".live")
        time.sleep(_LIVE_S)
        sizes = [_drawn(window, picture, directory / picture.name) for picture in PICTURES]
    return 0 if all(size <= MOST_BYTES for size in sizes) else 1


def _drawn(window: Browser, picture: Picture, path: Path) -> int:
    window.colours(picture.colours)
    window.size(WIDTH, picture.height)
    window.go(picture.fragment)
    until(lambda: window.all(picture.wanted), bool, f"{picture.name}: {picture.wanted}")
    time.sleep(6)  # two readings: rates of what is shown only now
    window.shoot(path)
    Image.open(path).convert("RGB").quantize(256, Image.Quantize.MAXCOVERAGE).save(
        path, optimize=True
    )
    size = path.stat().st_size
    print(f"{path}: {size / 1000:.0f} kB")
    return size


if __name__ == "__main__":
    sys.exit(main())
