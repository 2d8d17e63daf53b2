"""A bundle's file: every part without secrets, and what could not be had.

Must not know: which parts there are.
"""

from __future__ import annotations

import io
import os
import tarfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from nib.errors import NibError
from prewire.bundle.parts import Part, written
from prewire.bundle.redacting import Redactor
from prewire.errors import CommandFailed

_LARGEST: Final = 32_000_000  # characters of a part; what is beyond is left out, and said
_README: Final = """\
A bundle of `prewire support-bundle`, made at {at}.

Taken out: tokens, keys, and passwords, also within URLs and logs; [removed] stands in their place.
Left out: the database's file, files of tokens and keys.
Addresses, names of services and what they carry are in it.

What could not be had:
{failures}
"""


@dataclass(frozen=True, slots=True)
class Packed:
    """What is in a bundle; failures: what could not be had, and why."""

    files: int
    size: int
    failures: tuple[str, ...]


def pack(
    target: Path, parts: Sequence[Part], redactor: Redactor, at: str, told: Callable[[float], None]
) -> Packed:
    """Write a bundle that only its owner may read. told: hears what share is done, 0 to 1.

    OSError where it cannot be written.
    """
    failures: list[str] = []
    folder = target.name.removesuffix(".tar.gz")
    descriptor = os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "wb") as file, tarfile.open(fileobj=file, mode="w:gz") as archive:
        for number, part in enumerate(parts, start=1):
            text = _made(part, redactor, failures)
            if text is not None:
                _add(archive, f"{folder}/{part.path}", text)
            told(number / len(parts))
        listed = "".join(f"- {each}\n" for each in failures) or "- nothing\n"
        _add(archive, f"{folder}/README.txt", _README.format(at=at, failures=listed))
        files = len(archive.getnames())
    return Packed(files, target.stat().st_size, tuple(failures))


def _made(part: Part, redactor: Redactor, failures: list[str]) -> str | None:
    """A part's text; None where it could not be had. Nothing that goes wrong with one part keeps
    the others back: a bundle is made where things do go wrong."""
    try:
        text = redactor.text(written(redactor.data(part.make())))
    except Exception as error:
        kind = "" if isinstance(error, CommandFailed | NibError) else f"{type(error).__name__}: "
        failures.append(redactor.text(f"{part.path}: {kind}{error}"))
        return None
    if len(text) > _LARGEST:
        failures.append(f"{part.path}: what is beyond {_LARGEST} characters")
    return text[:_LARGEST]


def _add(archive: tarfile.TarFile, name: str, text: str) -> None:
    data = text.encode()
    entry = tarfile.TarInfo(name)
    entry.size = len(data)
    entry.mode = 0o600
    archive.addfile(entry, io.BytesIO(data))
