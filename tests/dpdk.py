"""A network on Open vSwitch with DPDK, for tests: skipped where it cannot be."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager

import pytest

from tests.needs import need
from topologies import dpdk
from topologies.dpdk import DpdkNetwork
from topologies.dpdk_switch import BINARY, NOT_INSTALLED
from topologies.hugepages import NoHugepages
from topologies.spec import NetworkSpec


@contextmanager
def dpdk_network(spec: NetworkSpec, controllers: Sequence[str] = ()) -> Iterator[DpdkNetwork]:
    """The network is up inside the body.

    Without the programs the test is skipped, or fails where nothing may be; without huge pages it
    is always skipped, and says why there are none.
    """
    need(BINARY.exists(), NOT_INSTALLED)
    with ExitStack() as stack:
        try:
            network = stack.enter_context(dpdk.running(spec, controllers))
        except NoHugepages as error:
            pytest.skip(str(error))
        yield network
