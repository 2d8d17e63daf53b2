"""Two processes that write: nothing is overwritten unseen, and no number is allotted twice."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from nib.database import Nib
from nib.draft import Draft
from nib.records import Audit
from nib.topology import Switch
from tests.nib.changes import put, service

WAIT_S = 60.0
DPID = "00000000000000a1"


def test_two_processes_never_allot_a_number_twice(open_nib: Callable[..., Nib]) -> None:
    one, two = open_nib("one"), open_nib("two")
    rounds, tries = 20, []
    for number in range(rounds):
        tries.append(one.write(put(service(number, name=f"one-{number}"))))
        tries.append(two.write(put(service(500 + number, name=f"two-{number}"))))
        if number % 5 == 0:
            tries[-1].result(WAIT_S)
            tries[-2].result(WAIT_S)
    done = [write.result(WAIT_S) for write in tries]
    assert len({committed.value.number for committed in done}) == 2 * rounds
    generations = {committed.generation for committed in done}
    assert generations == set(range(1, max(generations) + 1))
    one.when(lambda mirror: mirror.generation == max(generations)).result(WAIT_S)


class Overtaken:
    """A change that, on its first run, lets another process commit before it goes on."""

    def __init__(self, change: Callable[[Draft], Any], meanwhile: Callable[[], object]) -> None:
        self.runs = 0
        self._change = change
        self._meanwhile = meanwhile

    def __call__(self, draft: Draft) -> Any:
        self.runs += 1
        if self.runs == 1:
            self._meanwhile()
        return self._change(draft)


def test_an_overtaken_change_runs_again_and_loses_no_update(open_nib: Callable[..., Nib]) -> None:
    one, two = open_nib("one"), open_nib("two")
    one.write(put(Audit(DPID))).result(WAIT_S)
    two.when(lambda mirror: mirror.count(Audit) == 1).result(WAIT_S)

    def ask(draft: Draft) -> None:
        row = draft.need(Audit, DPID)
        draft.put(replace(row, requested=row.requested + 1))

    overtaken = Overtaken(ask, lambda: one.write(ask).result(WAIT_S))
    two.write(overtaken).result(WAIT_S)
    assert overtaken.runs == 2
    one.when(lambda mirror: mirror.need(Audit, DPID).requested == 2).result(WAIT_S)


def test_an_overtaken_change_allots_another_number(open_nib: Callable[..., Nib]) -> None:
    one, two = open_nib("one"), open_nib("two")
    overtaken = Overtaken(put(service(2)), lambda: one.write(put(service(1))).result(WAIT_S))
    second = two.write(overtaken).result(WAIT_S)
    assert (overtaken.runs, second.value.number, second.generation) == (2, 2, 2)


def test_a_row_changed_meanwhile_is_not_deleted_unseen(open_nib: Callable[..., Nib]) -> None:
    one, two = open_nib("one"), open_nib("two")
    one.write(put(Switch(DPID, 1))).result(WAIT_S)
    two.when(lambda mirror: mirror.count(Switch) == 1).result(WAIT_S)

    def delete_disconnected(draft: Draft) -> None:
        for switch in draft.all(Switch):
            if not switch.connected:
                draft.delete(Switch, switch.key)

    connect = put(Switch(DPID, 1, connected=True))
    two.write(Overtaken(delete_disconnected, lambda: one.write(connect).result(WAIT_S))).result(60)
    with two.view() as mirror:
        assert mirror.count(Switch) == 1


def test_two_processes_putting_one_key_end_in_one_row(open_nib: Callable[..., Nib]) -> None:
    one, two = open_nib("one"), open_nib("two")
    for number in range(1, 20):
        switch = Switch(f"{number:016x}", number)
        writes = [
            one.write(put(replace(switch, name="one"))),
            two.write(put(replace(switch, name="two"))),
        ]
        for write in writes:
            write.result(WAIT_S)
    with one.view() as mirror:
        assert mirror.count(Switch) == 19
