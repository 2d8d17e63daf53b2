"""Whatever is typed: wrong usage, a refusal in plain words, or help; never a traceback."""

from __future__ import annotations

import io
import json
import os
import sys
from collections.abc import Iterator
from contextlib import suppress
from typing import Any, Final
from unittest import mock

from hypothesis import example, given
from hypothesis import strategies as st

from prewire.commands import completing
from tests.commands import run_here

NOBODY: Final = {"PREWIRE_API": "http://127.0.0.1:1", "PREWIRE_SWITCH_DB": ""}
TREE: Final[Any] = json.loads(completing.FILE.read_text())

# They run until interrupted, write files, look at this machine, or compute: these are only parsed.
NOT_RUN: Final = {
    "up", "controller", "api", "predictor", "node", "demo", "db", "tls", "doctor", "support-bundle",
    "backtest", "replay", "top",
}  # fmt: skip
REFUSED: Final = "--no-such-option"


def leaves(node: Any, words: tuple[str, ...]) -> Iterator[tuple[tuple[str, ...], Any]]:
    """Every command, with what words.json says of it."""
    for name, below in node.get("commands", {}).items():
        yield from leaves(below, (*words, name))
    if "commands" not in node:
        yield words, node


COMMANDS: Final = list(leaves(TREE, ()))
odd = st.one_of(
    st.sampled_from(
        ["", "-", "--", "-o", "-5", "0", "web", "web/c1", "Ä/ö", "a/../b", "%2e%2e", "1e999",
         "\udcff", "9" * 400, "1.5s", "10M", "in_port=1,tcp", "{}", "\n", "services", "\u202e"]
    ),
    st.text(max_size=12).filter(lambda text: "\0" not in text),
    st.integers().map(str),
)  # fmt: skip


@st.composite
def lines(draw: st.DrawFn) -> list[str]:
    """A command and some words behind it: its own options with or without values, and others."""
    words, node = draw(st.sampled_from(COMMANDS))
    option = st.sampled_from([*sorted(node["options"]), "--help"])
    typed = draw(
        st.lists(st.one_of(odd, option, st.builds("{}={}".format, option, odd)), max_size=6)
    )
    if words[0] in NOT_RUN:
        typed = [REFUSED, *typed]
    return [*words, *typed]


@given(lines())
@example(["get", "svc", "\udcff"])
@example(["explain", "\udcff"])
@example(["apply", "-f", "-"])
@example(["apply", "-f", ""])
@example(["wait", "service/", "--for", "gone"])
@example(["--token", "\udcff", "get", "svc"])
@example(["status", "--api", "http://[::1"])
@example(["status", "--api", "http://\udcff/"])
@example(["forecast", "web", "--steps", "9" * 400])
def test_no_words_end_in_a_traceback(words: list[str]) -> None:
    with mock.patch.object(sys, "stdin", io.TextIOWrapper(io.BytesIO())):
        done = run_here(*words, env=NOBODY)
    assert done.returncode in (0, 1, 2), done
    if done.returncode == 0:
        assert "--help" in words or words[0] in {"completion", "watch"}, done
    elif done.returncode == 1:
        assert done.stderr.startswith("prewire: "), done
    else:
        assert "Error: " in done.stderr or "Usage: " in done.stdout, done
    assert "Traceback" not in done.stdout + done.stderr


@given(st.lists(st.one_of(odd, st.sampled_from(["get", "svc", "service", "-o", "set", "wait"]))))
def test_no_words_break_completion(words: list[str]) -> None:
    with mock.patch.dict(os.environ, NOBODY), suppress(ConnectionRefusedError):
        typed = words or [""]
        assert all(word.startswith(typed[-1]) for word, _ in completing.offered(typed))
