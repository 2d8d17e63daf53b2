"""What shells offer for a word that is being typed: `prewire --complete WORDS…`.

It must answer before who types notices, so it imports only the standard library, reads which words
there are from words.json (`make docs` writes it), and asks the REST server for names alone.
Whatever fails, it offers nothing and says nothing.
Must not know: typer, settings beyond where the server is.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

FILE: Final = Path(__file__).with_name("words.json")

# What words.json says of a value: one of several; a kind; a name of a kind, or of the kind or in
# the object that was typed before; a kind with a name behind a slash.
CHOICE: Final = "="
KIND: Final = "#kind"
NAMES: Final = "#"
OF_KIND: Final = "#of"
KIND_AND_NAME: Final = "#kind/"


@dataclass(frozen=True, slots=True)
class Typed:
    """Where a word stands: the command so far, its arguments, and the option it is a value of."""

    node: Any
    arguments: tuple[str, ...]
    options: dict[str, str]
    option: str


def run(words: Sequence[str]) -> None:
    """Print what may be meant by the last word, a line each, with what it is behind a tab."""
    try:
        offers = list(offered(words or [""]))
    except Exception:
        return
    sys.stdout.write("".join(f"{word}\t{meaning}\n" for word, meaning in offers))


def offered(words: Sequence[str]) -> Iterable[tuple[str, str]]:
    """The words that the last one may become, with their meanings."""
    tree = json.loads(FILE.read_text("utf-8"))
    *before, word = words
    typed = _typed(tree, before)
    if typed is None:
        return ()
    return [each for each in _possible(tree, typed, word) if each[0].startswith(word)]


def _typed(tree: Any, words: Sequence[str]) -> Typed | None:
    """Where the word after these stands. None: there is no such command."""
    node, option = tree, ""
    arguments: list[str] = []
    options: dict[str, str] = {}
    for word in words:
        if option:
            options[option], option = word, ""
        elif word.startswith("-"):
            takes = node["options"].get(word.partition("=")[0], [""])[0]
            option = word if takes and "=" not in word else ""
        elif "commands" not in node:
            arguments.append(word)
        elif word in node["commands"]:
            node = node["commands"][word]
        else:
            return None
    return Typed(node, tuple(arguments), options, option)


def _possible(tree: Any, typed: Typed, word: str) -> Iterable[tuple[str, str]]:
    node = typed.node
    if typed.option:
        return _values(tree, node["options"][typed.option][0], typed, word)
    if word.startswith("-"):
        return [(name, told[1]) for name, told in node["options"].items()]
    if "commands" in node:
        return [(name, each["help"]) for name, each in node["commands"].items()]
    wanted = node["arguments"]
    if not wanted:
        return ()
    return _values(tree, wanted[min(len(typed.arguments), len(wanted) - 1)], typed, word)


def _values(tree: Any, what: str, typed: Typed, word: str) -> Iterable[tuple[str, str]]:
    return [(each, "") for each in _words(tree, what, typed, word)]


def _words(tree: Any, what: str, typed: Typed, word: str) -> Iterable[str]:
    if what.startswith(CHOICE):
        return what.removeprefix(CHOICE).split("|")
    if what == KIND:
        return [kind["plural"] for kind in tree["kinds"].values()]
    if what == KIND_AND_NAME:
        name, slash, _ = word.partition("/")
        known = _names(tree, name, typed) if slash else [""]
        return [f"{each}/{rest}" for each in ([name] if slash else tree["kinds"]) for rest in known]
    if what == OF_KIND:
        return _names(tree, typed.arguments[0], typed)
    if what.startswith(NAMES):
        return _named(tree, what.removeprefix(NAMES), typed)
    return ()


def _named(tree: Any, what: str, typed: Typed) -> list[str]:
    """Names of a kind; as in "containers:id" the rest of them, whose first part was typed."""
    kind, _, part = what.partition(":")
    known = _names(tree, kind, typed)
    if not part:
        return known
    first = f"{typed.arguments[-1]}/"
    return [each.removeprefix(first) for each in known if each.startswith(first)]


def _names(tree: Any, called: str, typed: Typed) -> list[str]:
    """The names of all objects of a kind, as the server has them; none where it is no kind."""
    from prewire.commands.asking import listed  # noqa: PLC0415 - only names need the network

    kind = next(
        (
            each
            for name, each in tree["kinds"].items()
            if called in (name, each["plural"], *each["aliases"])
        ),
        None,
    )
    if kind is None:
        return []
    answer = listed(f"/v1/{kind['plural']}", typed.options.get("--api"))
    return ["/".join(str(item[part]) for part in kind["key"]) for item in answer]
