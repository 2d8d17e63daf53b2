"""A database that is emptied by mistake does not empty the network: switches wait for a yes."""

from __future__ import annotations

from nib.mirror import Mirror
from nib.records import Global, Leader
from nib.topology import Switch
from tests.switch.controllers import DPID, Controllers, controllers, has_service, is_led_by
from tests.waiting import until


def is_held(view: Mirror) -> bool:
    switch = view.get(Switch, DPID)
    return switch is not None and "prewire adopt" in switch.problem


def reset_database(here: Controllers) -> str:
    """Another, empty database in the same place; returns what the old one was called."""
    before: str = here.look(lambda view: view.need(Global, ()).database)
    here.database.stop()
    here.database.database.unlink()
    here.database.start()
    return before


def assert_held_until_adopted(here: Controllers, old: str, flows: list[str]) -> None:
    with here.nib() as nib:
        nib.when(is_held).result(60)
        with nib.view() as view:
            switch, new = view.need(Switch, DPID), view.need(Global, ()).database
        assert f"programmed from database {old}; this is database {new}" in switch.problem
        assert not switch.connected
        assert here.flows() == flows, "not one flow was touched"
        nib.write(has_service("late", "10.0.0.101")).result(60)
        nib.when(lambda view: view.generation > 0 and is_held(view)).result(60)
        assert here.flows() == flows, "what is asked for meanwhile waits"

        nib.write(lambda draft: draft.succeed(old)).result(60)
        nib.when(is_led_by("one")).result(60)
        with nib.view() as view:
            assert view.need(Switch, DPID).problem == ""
    held = "\n".join(here.flows())
    assert "10.0.0.101" in held
    assert "10.0.0.100" not in held, "what only the old database knew is gone"


def test_a_controller_that_starts_on_an_empty_database() -> None:
    with controllers("one") as here:
        flows = here.flows()
        here.kill("one")
        old = reset_database(here)
        here.start("one")
        assert_held_until_adopted(here, old, flows)


def test_a_database_that_is_replaced_under_the_controller() -> None:
    with controllers("one") as here:
        flows, epoch = here.flows(), here.leader().epoch
        old = reset_database(here)
        assert_held_until_adopted(here, old, flows)
        assert here.leader().epoch > epoch, "epochs go on, for switches know them"


def test_the_same_database_again_is_no_reason_to_wait() -> None:
    with controllers("one") as here, here.nib() as nib:
        flows = here.flows()
        here.database.stop()
        here.database.start()
        nib.when(lambda view: view.get(Leader, ()) is not None).result(60)
        beat = here.leader().beat
        nib.when(lambda view: view.need(Leader, ()).beat > beat + 1).result(60)
        assert here.leader().epoch == 1
        nib.when(is_led_by("one")).result(60)
        until(here.flows, lambda seen: seen == flows, "nothing changed")
