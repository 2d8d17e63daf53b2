"""Who is behind which port, as the switches' own databases say it; one place for each.

While something moves, two ports have its iface-id: the old one, and the new one. Of such ports the
one that is up counts, and of several the one that got the id last. Pure.

Must not know: OVSDB connections, OpenFlow.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final
from uuid import UUID

from nib.errors import FieldError
from nib.fields import check_text, check_unicast_mac


@dataclass(frozen=True, slots=True)
class Attachment:
    """What an Interface row says of who is behind it; None: it does not say."""

    iface_id: str | None = None
    attached_mac: str | None = None


Place = tuple[str, str]  # datapath id, port name
Attachments = Mapping[Place, Attachment]

_NOTHING: Final = Attachment()
_FIELDS: Final = ("iface_id", "attached_mac")


class Attached:
    """What was heard last, in the order in which places got what they have."""

    def __init__(self) -> None:
        self._said: dict[Place, Attachment] = {}

    def heard(self, said: Attachments) -> None:
        """The whole of what is said now; within one call the order of the mapping counts."""
        kept = {place: was for place, was in self._said.items() if said.get(place) == was}
        self._said = kept | {place: now for place, now in said.items() if place not in kept}

    def places(self, is_up: Callable[[Place], bool]) -> Attachments:
        """What to believe, given which ports are up."""
        believed = dict(self._said)
        for field in _FIELDS:
            for rivals in self._rivals(field):
                # max() takes the first of equals, so the newest goes first
                best = max(reversed(rivals), key=is_up)
                for place in rivals:
                    if place != best:
                        believed[place] = replace(believed[place], **{field: None})
        return believed

    def _rivals(self, field: str) -> Iterable[list[Place]]:
        """Places that have one value in common, the newest last."""
        found: defaultdict[str, list[Place]] = defaultdict(list)
        for place, attachment in self._said.items():
            value = getattr(attachment, field)
            if value is not None:
                found[value].append(place)
        return (places for places in found.values() if len(places) > 1)


def attachments_of(
    bridges: Iterable[Any], known: Mapping[UUID, Sequence[str]] | None = None
) -> dict[Place, Attachment]:
    """Attachments by port, from the Bridge rows of a switch's own database.

    Ids and MAC addresses that cannot be such are taken as not said. known: datapath ids by row,
    instead of what the rows say.
    """
    found = {}
    for bridge in bridges:
        for dpid in bridge.datapath_id if known is None else known[bridge.uuid]:
            for port in bridge.ports:
                for interface in port.interfaces:
                    attachment = _attachment(interface.external_ids)
                    if attachment != _NOTHING:
                        found[dpid, interface.name] = attachment
    return found


def _attachment(ids: Mapping[str, str]) -> Attachment:
    mac = ids.get("attached-mac")
    return Attachment(
        _checked(check_text, ids.get("iface-id")),
        _checked(check_unicast_mac, None if mac is None else mac.lower()),
    )


def _checked(check: Callable[[str, object], str], value: str | None) -> str | None:
    if value is None:
        return None
    try:
        return check("external_ids", value)
    except FieldError:
        return None
