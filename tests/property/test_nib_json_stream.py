"""The fast JSON parser against the OVSDB library's own, on messages cut anywhere."""

from __future__ import annotations

import importlib.util
import itertools
import json
from typing import Any

from hypothesis import example, given, settings
from hypothesis import strategies as st

from nib.json_stream import StreamParser

# the library refuses NUL in strings, as the database does
texts = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"))
values: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | texts,
    lambda inner: st.lists(inner) | st.dictionaries(texts, inner),
    max_leaves=20,
)
messages = st.dictionaries(texts, values) | st.lists(values)


def original() -> Any:
    """The library's parser, from a copy of its module that nothing is installed in."""
    spec = importlib.util.find_spec("ovs.json")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


LIBRARY = original()


def parsed(parser: Any, pieces: list[str]) -> tuple[Any, str]:
    """The first message of the pieces, and what is left of them, as `ovs.jsonrpc` would read it."""
    rest = ""
    for place, piece in enumerate(pieces):
        rest += piece
        rest = rest[parser.feed(rest) :]
        if parser.is_done():
            return parser.finish(), rest + "".join(pieces[place + 1 :])
    return None, rest


def cut(text: str, places: list[int]) -> list[str]:
    """The text in pieces."""
    bounds = [0, *sorted(place % (len(text) + 1) for place in places), len(text)]
    return [text[a:b] for a, b in itertools.pairwise(bounds)]


@settings(max_examples=20)
@given(messages, messages, st.lists(st.integers(0, 10_000), max_size=6), st.booleans())
@example({'a"]': "\\"}, [], [1, 2, 3, 4, 5, 6], True)
@example([], {}, [], False)
def test_both_parsers_read_the_same(
    first: Any, second: Any, places: list[int], escaped: bool
) -> None:
    stream = " " + json.dumps(first, ensure_ascii=escaped) + "\n" + json.dumps(second)
    pieces = cut(stream, places)
    ours, our_rest = parsed(StreamParser(), pieces)
    theirs, their_rest = parsed(LIBRARY.Parser(), pieces)
    assert ours == theirs == first
    assert our_rest.lstrip() == their_rest.lstrip() == json.dumps(second)


@given(st.text(st.sampled_from('{}[]",:\\ 1atruefalsn\n'), max_size=30))
@example("NaN")
@example('{"a": NaN}')
@example("[" * 5000 + "]" * 5000)
def test_what_is_no_message_is_an_error_and_never_an_exception(text: str) -> None:
    parser = StreamParser()
    consumed = parser.feed(text)
    assert 0 <= consumed <= len(text)
    if parser.is_done():
        answer = parser.finish()
        assert isinstance(answer, str | dict | list)
        if not isinstance(answer, str):
            assert answer == json.loads(text[:consumed])


@settings(max_examples=20)
@given(st.one_of(messages.map(json.dumps), st.text(max_size=10)), st.sampled_from(["", " ", "]"]))
def test_a_whole_text_with_a_trailer_is_refused_as_by_the_library(text: str, more: str) -> None:
    ours, theirs = StreamParser(check_trailer=True), LIBRARY.Parser(check_trailer=True)
    ours.feed(text + more)
    theirs.feed(text + more)
    answers = ours.finish(), theirs.finish()
    if isinstance(answers[1], dict | list):
        assert answers[0] == answers[1]
    elif more == "]":
        assert isinstance(answers[0], str)
