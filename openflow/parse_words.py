"""Reads the words that flows, groups and meters are written with: numbers, ports, field values.

Must not know: which words an action, a match or a group consists of.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from openflow.fields import CT_STATE_BITS, FIELDS, IPV4, IPV6, NAMED, Field
from openflow.text import FLAG_FIELDS
from openflow.values import RESERVED_PORTS

PORTS: Final = {name.lower(): port for port, name in RESERVED_PORTS.items()}
LABELS: Final = {named.label: named for named in NAMED}


def _aliases() -> dict[str, str]:
    names = {name: name for name in FIELDS}
    for name, declared in FIELDS.items():
        for alias in (declared.match, declared.oxm, declared.nxm):
            if not alias.startswith("tp_"):
                names.setdefault(alias, name)
    return names


ALIASES: Final = _aliases()


def value_and_mask(declared: Field, text: str) -> tuple[int, int]:
    """A field's value and mask as `openflow.text.value_text` or a dump writes them."""
    flags = FLAG_FIELDS.get(declared.name)
    if flags and re.match(r"[+-]", text):
        return _signed_flags(flags, text)
    if flags and re.match(r"[a-z]", text):
        return sum({_flag(flags, flag) for flag in text.split("|")}), _exact(declared)
    if declared.name == "in_port":
        return port_number(text), declared.full_mask
    shown, slash, mask = text.partition("/")
    value = declared.form.read(shown)
    if not slash:
        return value, _exact(declared)
    if declared.form in (IPV4, IPV6) and mask.isdigit() and int(mask) <= declared.bits:
        zeros = declared.bits - int(mask)
        return value, declared.full_mask >> zeros << zeros
    return value, declared.form.read(mask)


def _exact(declared: Field) -> int:
    """The mask of a value without one: for ct_state the flags there are, as a switch has it."""
    return sum(CT_STATE_BITS.values()) if declared.name == "ct_state" else declared.full_mask


def _signed_flags(flags: dict[str, int], text: str) -> tuple[int, int]:
    if not re.fullmatch(r"([+-][a-z]+)+", text):
        raise ValueError(f"{text!r} is not a set of flags such as +new-est")
    value = mask = 0
    for sign, flag in re.findall(r"([+-])([a-z]+)", text):
        bit = _flag(flags, flag)
        mask |= bit
        value |= bit if sign == "+" else 0
    return value, mask


def _flag(flags: dict[str, int], flag: str) -> int:
    if flag not in flags:
        raise ValueError(f"{flag!r} is not one of the flags {', '.join(flags)}")
    return flags[flag]


def port_number(text: str) -> int:
    """A port given by number or by a reserved name."""
    if text.lower() in PORTS:
        return PORTS[text.lower()]
    if not text.isdigit():
        raise ValueError(
            f"{text!r} is neither a port number nor {', '.join(RESERVED_PORTS.values())}"
        )
    return int(text)


def number(text: str, word: str) -> int:
    """A decimal or 0x number; the ValueError names the word that it stands in."""
    try:
        return int(text, 0)
    except ValueError:
        raise ValueError(f"{word!r} needs a number") from None


def assignment(word: str) -> tuple[str, str]:
    """`name=value` or `name:value`, whichever sign comes first."""
    found = re.match(r"(\w+)(?:[=:](.*))?$", word)
    return (found[1], found[2] or "") if found else (word, "")


def call_of(word: str) -> tuple[str, str]:
    """`name(argument)`."""
    name, _, argument = word.partition("(")
    if not argument.endswith(")"):
        raise ValueError(f"{word!r} lacks its closing bracket")
    return name, argument[:-1]


def words_of(text: str) -> Iterator[str]:
    """Words separated by commas or blanks outside brackets."""
    word, depth = "", 0
    for letter in text:
        depth += (letter == "(") - (letter == ")")
        if depth == 0 and letter in ", \t\n":
            if word:
                yield word
            word = ""
        else:
            word += letter
    if word:
        yield word
