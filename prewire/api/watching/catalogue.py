"""The kinds of object that can be watched.

Owns: the list of them, and finding one by name or by the path of its list.
Must not know: watchers.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from prewire.api.watching import gateway_kinds, network_kinds, prediction_kinds
from prewire.api.watching.kinds import Kind

KINDS: Final[Mapping[str, Kind]] = {
    kind.name: kind
    for kind in (*gateway_kinds.KINDS, *prediction_kinds.KINDS, *network_kinds.KINDS)
}
PATHS: Final[Mapping[str, Kind]] = {kind.path: kind for kind in KINDS.values()}
