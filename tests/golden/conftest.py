"""Golden files: what an operator would see. `--update-golden` writes them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

_HERE = Path(__file__).parent


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--update-golden", action="store_true", help="write the golden files instead of comparing"
    )


@pytest.fixture
def golden(request: pytest.FixtureRequest) -> Callable[[str, str], None]:
    """Compares a text with the golden file of a name."""

    def check(name: str, text: str) -> None:
        file = _HERE / f"{name}.txt"
        if request.config.getoption("--update-golden", default=False):
            file.write_text(text)
        known = file.read_text() if file.exists() else ""
        assert text == known, f"{file.name} differs: is it right? pytest --update-golden"

    return check
