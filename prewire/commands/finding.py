"""Objects of any kind as REST has them: all, or those of a name.

Must not know: how they are printed.
"""

from __future__ import annotations

from collections.abc import Sequence

from prewire.commands.client import Client, RequestFailed
from prewire.commands.kinds import Kind, Object, missing


def objects(server: Client, kind: Kind, names: Sequence[str] = ()) -> list[Object]:
    """All of a kind, or those of these names: the first parts of a key stand for all that begin
    with them. CommandFailed where there is none of a name, with what may be meant."""
    if not names:
        return kind.flatten(server.call("GET", kind.list_path))
    return [each for name in names for each in _called(server, kind, name)]


def only(server: Client, kind: Kind, name: str) -> Object:
    """The one object of a name. CommandFailed where there is none, or several are meant."""
    found = _called(server, kind, name)
    if len(found) > 1:
        raise missing(kind, name, map(kind.key_of, found))
    return found[0]


def _called(server: Client, kind: Kind, name: str) -> list[Object]:
    parts = kind.parts_of(name)
    if kind.alone and len(parts) == len(kind.key):
        try:
            answer = server.call("GET", kind.path_of(parts))
        except RequestFailed:
            pass  # the list tells what there is, or fails too
        else:
            return [dict(zip((field for field, _ in kind.key), parts, strict=True)) | answer]
    known = kind.flatten(server.call("GET", kind.list_path))
    found = [each for each in known if kind.is_meant(each, parts)]
    if not found:
        raise missing(kind, name, map(kind.key_of, known))
    return found
