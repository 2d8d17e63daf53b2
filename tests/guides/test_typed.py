"""The README's tour and the tutorial, typed on machines of their own."""

from __future__ import annotations

import re
from typing import Final

import pytest

from tests.needs import need_ovs
from tests.typed import machine_with_prewire, shell_blocks, typed

# Or the audit of every minute finds what is broken for `prewire diff`, now and then before it.
NO_AUDIT: Final = {"PREWIRE_AUDIT_SECONDS": "0"}

# Page and part -> what it has to say, in this order.
SAYS: Final = {
    ("README.md", "tour"): (
        r"I am web-[12]",
        r"65M are free on br0 web-1",
        r"web +\d+ +2 +2 +[a-z]+",
        r"service web: the switch picks a slot",
        r"0 missing, 0 alien",
        r"5 missing, 1 alien",
        r"exit code 3",
        r"web-2 .* ready +yes +64 +64",
    ),
    ("docs/tutorial.md", "tutorial"): (
        r"hello",
        r"tea-1 .* ready",
        r"tea +2 +1 +1 +schedule",
        r" ready ",
        r"tea-2 .* ready",
        r'new_connections_total\{service="tea"\} [1-9]\d\d',
        r"service tea: the switch picks a slot",
        r"0 missing, 0 alien",
    ),
}


@pytest.mark.root
@pytest.mark.parametrize(("page", "part"), SAYS, ids=[part for _, part in SAYS])
def test_what_readers_are_told_to_type_does_what_it_says(page: str, part: str) -> None:
    need_ovs()
    with machine_with_prewire(NO_AUDIT) as machine:
        rest = typed(machine, "\n".join(shell_blocks(page, part)), 500)
    for each in SAYS[page, part]:
        found = re.search(each, rest)
        assert found, f"{each!r} is not said in:\n{rest}"
        rest = rest[found.end() :]
