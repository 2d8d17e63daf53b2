"""Who is behind which port, while interfaces come, go and move."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace

import pytest

from nib.draft import Draft
from nib.mirror import Mirror, RowChange
from nib.topology import Port
from ryu_apps.attachments import Attached, Attachment, Place, attachments_of
from ryu_apps.ports import ports_are

HERE, THERE = "1" * 16, "2" * 16
OLD: Place = (HERE, "p1")
NEW: Place = (THERE, "p7")
POD = Attachment("pod", "02:00:00:00:00:01")
NOBODY = Attachment()


def believed(attached: Attached, *up: Place) -> dict[Place, Attachment]:
    return {
        place: each for place, each in attached.places(up.__contains__).items() if each.iface_id
    }


def test_what_is_said_once_is_believed() -> None:
    attached = Attached()
    attached.heard({OLD: POD})
    assert attached.places(lambda _: False) == {OLD: POD}


def test_of_two_places_the_newer_counts() -> None:
    attached = Attached()
    attached.heard({OLD: POD})
    attached.heard({NEW: POD, OLD: POD})
    assert believed(attached, OLD, NEW) == {NEW: POD}
    assert believed(attached) == {NEW: POD}
    attached.heard({OLD: POD})
    assert believed(attached, OLD, NEW) == {OLD: POD}


def test_a_place_that_is_up_counts_before_one_that_is_not() -> None:
    attached = Attached()
    attached.heard({OLD: POD})
    attached.heard({OLD: POD, NEW: POD})
    assert believed(attached, OLD) == {OLD: POD}


def test_who_comes_back_is_newer() -> None:
    attached = Attached()
    attached.heard({OLD: POD, NEW: POD})
    attached.heard({NEW: POD})
    attached.heard({OLD: POD, NEW: POD})
    assert believed(attached, OLD, NEW) == {OLD: POD}


def test_id_and_address_are_told_apart() -> None:
    attached = Attached()
    attached.heard({OLD: Attachment("one", "02:00:00:00:00:01")})
    attached.heard(
        {
            OLD: Attachment("one", "02:00:00:00:00:01"),
            NEW: Attachment("two", "02:00:00:00:00:01"),
        }
    )
    assert attached.places(lambda _: True) == {
        OLD: Attachment("one"),
        NEW: Attachment("two", "02:00:00:00:00:01"),
    }


@pytest.mark.parametrize(
    ("ids", "said"),
    [
        ({"iface-id": "pod", "attached-mac": "02:00:00:00:00:0A"}, ("pod", "02:00:00:00:00:0a")),
        ({"iface-id": "pod", "attached-mac": "02-00-00-00-00-0a"}, ("pod", None)),
        ({"iface-id": "pod", "attached-mac": "ff:ff:ff:ff:ff:ff"}, ("pod", None)),
        ({"iface-id": "x" * 999, "attached-mac": "02:00:00:00:00:0a"}, (None, "02:00:00:00:00:0a")),
        ({"iface-id": ""}, None),
        ({"vm-id": "7"}, None),
    ],
)
def test_what_an_interface_says(
    ids: dict[str, str], said: tuple[str | None, str | None] | None
) -> None:
    interface = SimpleNamespace(name="p1", external_ids=ids)
    port = SimpleNamespace(interfaces=[interface])
    bridge = SimpleNamespace(datapath_id=[HERE], ports=[port])
    assert attachments_of([bridge]) == ({} if said is None else {OLD: Attachment(*said)})


def test_a_bridge_without_an_id_says_nothing() -> None:
    interface = SimpleNamespace(name="p1", external_ids={"iface-id": "pod"})
    bridge = SimpleNamespace(datapath_id=[], ports=[SimpleNamespace(interfaces=[interface])])
    assert attachments_of([bridge]) == {}


def test_what_was_said_of_a_port_stays_until_its_database_is_heard() -> None:
    known = Port("0000000000000001", "p1", 1, "02:00:00:00:00:01", "pod-1", "02:00:00:00:01:01")
    now = replace(known, iface_id=None, attached_mac=None, up=True)
    view = Mirror()
    view.apply(RowChange(None, known))
    draft = Draft(view)
    ports_are(known.switch, [now], may_be_said=True)(draft)
    assert draft.get(Port, known.key) == replace(known, up=True)
    ports_are(known.switch, [replace(now, iface_id="pod-2")], may_be_said=True)(draft)
    assert draft.need(Port, known.key).iface_id == "pod-2"
    ports_are(known.switch, [now])(draft)
    assert draft.get(Port, known.key) == now
