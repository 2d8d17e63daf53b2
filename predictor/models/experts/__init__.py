"""The light experts, one file each: a file here with a function `model()` is one.

Must not know: how their forecasts are weighed.
"""

from __future__ import annotations

import pkgutil
from importlib import import_module

from predictor.models.contract import Model


def experts() -> tuple[Model, ...]:
    """All of them, by file name."""
    names = sorted(each.name for each in pkgutil.iter_modules(__path__))
    return tuple(import_module(f"{__name__}.{name}").model() for name in names)
