"""How long work shows how far it is: on a terminal's standard error, nowhere else.

Must not know: what the work is.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

# The library takes a while to load, and most commands are short.
# ruff: noqa: PLC0415

if TYPE_CHECKING:
    from rich.console import Console


@contextmanager
def bar(what: str) -> Iterator[Callable[[float], None]]:
    """A bar, which is told the share that is done, 0 to 1."""
    from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

    console = _standard_error()
    columns = (TextColumn("{task.description}"), BarColumn(), TimeRemainingColumn())
    hidden = not console.is_terminal
    with Progress(*columns, console=console, transient=True, disable=hidden) as progress:
        task = progress.add_task(what, total=1.0)
        yield lambda share: progress.update(task, completed=share)


@contextmanager
def busy(what: str) -> Iterator[Callable[[str], None]]:
    """A sign that work goes on whose end is not known, which is told what it is about now."""
    console = _standard_error()
    if not console.is_terminal:
        yield lambda _: None
        return
    with console.status(what) as status:
        yield status.update


def _standard_error() -> Console:
    from rich.console import Console

    return Console(stderr=True)
