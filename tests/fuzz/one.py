"""Fuzzes one target with atheris in this process: `python -m tests.fuzz.one TARGET OPTIONS…`.

The options are libFuzzer's. What the target imports is instrumented as it is imported, so nothing
of it may be imported before.
"""

from __future__ import annotations

import importlib
import logging
import sys
from typing import Any

from tests.fuzz.table import INSTRUMENTED, module_of


def main(name: str, options: list[str]) -> None:
    """Does not return: libFuzzer ends the process."""
    atheris: Any = importlib.import_module("atheris")  # not on every platform

    logging.disable(logging.CRITICAL)
    wanted = module_of(name)
    packages = ["tests", *INSTRUMENTED[wanted]]
    with atheris.instrument_imports(include=packages):
        module = importlib.import_module(wanted)
    target = next(each for each in module.TARGETS if each.name == name)
    atheris.Setup([sys.argv[0], *options], target.attempt)
    atheris.Fuzz()


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2:])
