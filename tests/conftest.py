"""Fixtures and skips that every folder of tests shares."""

import os
from collections.abc import Iterator

import pytest
from hypothesis import HealthCheck, settings
from xdist.remote import Producer

from tests.disturbance import TRIES, Disturbance
from tests.needs import NO_OVS, REQUIRE, need_ovs
from tests.ovs import PrivateOvs, is_installed
from tests.scheduling import Units

# Times differ between machines, so none is too long. A check tries the same examples every time, as
# many as it has time for; `make fuzz` looks for new ones.
_PATIENT = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.register_profile("prewire", _PATIENT, max_examples=16, derandomize=True)
settings.register_profile("fuzz", _PATIENT, max_examples=1000, derandomize=False, print_blob=True)
settings.load_profile("prewire")

_DISTURBANCE = Disturbance()


def _obstacle() -> str | None:
    if not is_installed():
        return NO_OVS
    if os.geteuid() != 0:
        return "needs root"
    return None


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    tries_again = config.pluginmanager.hasplugin("rerunfailures")
    for item in items:
        if not item.get_closest_marker("measures"):
            continue
        item.add_marker(pytest.mark.alone)
        if tries_again:
            item.add_marker(pytest.mark.flaky(reruns=TRIES - 1, condition=_DISTURBANCE.is_some))
    obstacle = _obstacle()
    if obstacle is None:
        return
    for item in items:
        if item.get_closest_marker("root"):
            if os.environ.get(REQUIRE):
                raise pytest.UsageError(f"{item.nodeid}: {obstacle}")
            item.add_marker(pytest.mark.skip(reason=obstacle))


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Producer) -> Units | None:
    """As `make test` runs tests beside each other; xdist's own otherwise."""
    return Units(config, log) if config.getvalue("dist") == "loadfile" else None


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item: pytest.Item) -> None:
    _DISTURBANCE.begin(item)


@pytest.fixture
def private_ovs() -> Iterator[PrivateOvs]:
    """A private Open vSwitch with the simulated datapath; needs no root."""
    need_ovs()
    with PrivateOvs() as ovs:
        yield ovs
