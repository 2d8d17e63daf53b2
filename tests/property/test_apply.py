"""Documents of many objects: what is applied is as it was planned, and stays so."""

from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from nib.draft import Draft
from nib.intent import Service
from nib.mirror import Mirror, RowChange
from nib.qos import LinkRate, Policy, QosClass
from nib.records import Global
from nib.topology import Port, Switch
from prewire.documents.applying import apply
from prewire.documents.models import ApplyIn, ApplyOut
from prewire.documents.refused import ApplyRefused
from ryu_apps.provision import reservations

KINDS = {"services": Service, "classes": QosClass, "policies": Policy, "link_rates": LinkRate}
S1 = "00000000000000a1"
NAMES = st.sampled_from(["a", "b", "c"])
SERVICES = st.builds(
    lambda name, place, port: {"name": name, "vip": f"10.0.0.{place}", "port": port},
    NAMES, st.integers(1, 3), st.integers(80, 82),
)  # fmt: skip
CLASSES = st.builds(
    lambda name, number: {"name": name, "dscp": 30 + number, "queue": 4 + number},
    st.sampled_from(["a", "b", "bulk"]), st.integers(0, 2),
)  # fmt: skip
POLICIES = st.fixed_dictionaries(
    {"name": NAMES, "destination": NAMES},
    optional={
        "source": NAMES,
        "class": st.sampled_from(["a", "bulk", "default", "realtime"]),
        "max_bps": st.sampled_from(["10M", "1G"]),
        "guaranteed_bps": st.sampled_from(["5M", "10G"]),
    },
)
RATES = st.builds(
    lambda port, rate: {"switch": "br0", "port": port, "bps": rate},
    st.sampled_from(["veth1", "veth2"]), st.sampled_from(["10M", "1G"]),
)  # fmt: skip


def listed(items: st.SearchStrategy[dict[str, Any]], *keys: str) -> st.SearchStrategy[Any]:
    unique = st.lists(items, max_size=3, unique_by=lambda item: tuple(item[key] for key in keys))
    return st.none() | unique


DOCUMENTS = st.fixed_dictionaries(
    {
        "services": listed(SERVICES, "name"),
        "classes": listed(CLASSES, "name"),
        "policies": listed(POLICIES, "name"),
        "link_rates": listed(RATES, "port"),
    }
)


def fresh() -> Draft:
    mirror = Mirror()
    rows = (Global(), Switch(S1, 1, "br0"), Port(S1, "veth1", 1, "02:00:00:00:01:01"))
    for row in rows:
        mirror.apply(RowChange(None, row))
    return Draft(mirror)


def tried(draft: Draft, document: Any, *, prune: bool, dry_run: bool) -> ApplyOut | None:
    """What becomes of it, None where it is refused; that leaves nothing, as a transaction would."""
    mark = draft.mark
    wanted = ApplyIn.model_validate(document)
    try:
        return apply(wanted, reservations, 0, prune=prune, dry_run=dry_run)(draft)
    except ApplyRefused:
        draft.roll_back(mark)
        return None


@given(st.lists(st.tuples(DOCUMENTS, st.booleans()), min_size=1, max_size=4))
def test_a_plan_is_what_is_done_and_done_once(documents: list[tuple[Any, bool]]) -> None:
    draft = fresh()
    for document, prune in documents:
        mark = draft.mark
        planned = tried(draft, document, prune=prune, dry_run=True)
        assert draft.mark == mark
        done = tried(draft, document, prune=prune, dry_run=False)
        assert (planned is None) == (done is None)
        if planned is None or done is None:
            continue
        assert planned.objects == done.objects
        again = tried(draft, document, prune=prune, dry_run=False)
        assert again is not None
        assert set(again.counts) <= {"unchanged"}
        ends = [policy.ends for policy in draft.all(Policy)]
        fronts = [front for service in draft.all(Service) for front in service.fronts]
        assert len(set(ends)) == len(ends)
        assert len(set(fronts)) == len(fronts)
        for member, kind in KINDS.items():
            if prune and document[member] is not None:
                assert draft.count(kind) == len(document[member])
