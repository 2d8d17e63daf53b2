"""What policies were offered, let pass and dropped in a switch: totals that only grow.

The flows of table police count all that a policy is offered, and keep their counters when they are
put again; meters count what they drop, from zero after every change of theirs. A switch tells of
flows up to a second late, of meters at once: what passed is the most that the two ever allowed, so
that it never falls, and what was offered is what passed and what was dropped.

Pure: readings in, totals out. Must not know: messages, names.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from typing import Final

from openflow.values import FlowKey
from qos.pipeline import bit_meter, policy_of_meter
from ryu_apps.totals import Totals

Counted = tuple[int, int]  # packets, bytes

_NOTHING: Final = (0, 0)


@dataclass(frozen=True, slots=True)
class FlowCount:
    """A reading of one flow of a policy. passes: it sends its packets on; else it drops them."""

    policy: int
    key: FlowKey
    passes: bool
    counted: Counted


@dataclass(frozen=True, slots=True)
class MeterCount:
    """A reading of one meter. offered: what came to it; dropped: what of that it dropped."""

    meter_id: int
    offered: Counted
    dropped: Counted


@dataclass(frozen=True, slots=True)
class PolicyCount:
    """Totals of one policy."""

    passed: Counted
    dropped: Counted

    @property
    def offered(self) -> Counted:
        """What came, whether it passed or not."""
        return _sum((self.passed, self.dropped))


class PolicyCounts:
    """Counts of one switch, by policy number."""

    def __init__(self) -> None:
        self._flows: Totals[tuple[int, bool, FlowKey]] = Totals()
        self._gone: dict[tuple[int, bool], Counted] = {}  # of flows that are gone, by what they did
        self._meters: Totals[int] = Totals()
        self._before: dict[int, Counted] = {}  # offered before the first meter that was read
        self._passed: dict[int, Counted] = {}  # the most so far

    def read(self, flows: Collection[FlowCount], meters: Iterable[MeterCount]) -> None:
        """All flows and meters of policies, read in this order.

        What is not among them is gone, and starts at zero where it comes again.
        """
        held = [(each.policy, each.passes, each.key) for each in flows]
        for flow_key, flow in zip(held, flows, strict=True):
            self._flows.read(flow_key, flow.counted)
        self._forget_but(set(held))
        self._meters.start_again_but(self._read_meters(meters))
        self._settle()

    def last_of(self, meters: Iterable[MeterCount]) -> None:
        """The last reading of meters before they start again at zero."""
        self._meters.start_again(self._read_meters(meters))

    def begin(self, numbers: Collection[int]) -> None:
        """These are the numbers of other policies now: their totals begin at zero.

        The switch may not know the difference, and go on counting.
        """
        self._flows.clear(lambda key: key[0] in numbers)
        self._gone = {key: gone for key, gone in self._gone.items() if key[0] not in numbers}
        self._meters.clear(lambda meter_id: policy_of_meter(meter_id) in numbers)
        for known in (self._before, self._passed):
            known.update(dict.fromkeys(known.keys() & numbers, _NOTHING))

    @property
    def flows(self) -> int:
        """How many flows are known."""
        return len(self._flows)

    def counts(self) -> Mapping[int, PolicyCount]:
        """The totals of every policy of which a flow was ever read."""
        refused = self._flow_totals(passing=False)
        return {
            number: PolicyCount(
                passed, _sum((self._metered(number)[1], refused.get(number, _NOTHING)))
            )
            for number, passed in self._passed.items()
        }

    def _read_meters(self, meters: Iterable[MeterCount]) -> list[int]:
        read = []
        for meter in meters:
            if policy_of_meter(meter.meter_id) is not None:
                read.append(meter.meter_id)
                self._meters.read(meter.meter_id, (*meter.offered, *meter.dropped))
        return read

    def _forget_but(self, held: Collection[tuple[int, bool, FlowKey]]) -> None:
        """Flows that are gone, but not what they counted: there is no end of other matches."""
        for key in [key for key, _ in self._flows if key not in held]:
            kind, counted = key[:2], self._flows.forget(key)
            self._gone[kind] = _sum((self._gone.get(kind, _NOTHING), (counted[0], counted[1])))

    def _settle(self) -> None:
        """What has passed by now."""
        for number, came in self._flow_totals(passing=True).items():
            metered, dropped = self._metered(number)
            if number not in self._before:
                # what meters dropped of it earlier is not known
                self._before[number] = _NOTHING if metered is None else _less(came, metered)
            now = _less(came, _sum((self._before[number], dropped)))
            self._passed[number] = _most(self._passed.get(number, _NOTHING), now)

    def _metered(self, number: int) -> tuple[Counted | None, Counted]:
        """What came to a policy's meters, one after the other, and what they dropped.

        None: it has no meter.
        """
        bits = bit_meter(number)
        totals = (self._meters.total(bits), self._meters.total(bits + 1))
        found = [total for total in totals if total is not None]
        if not found:
            return None, _NOTHING
        came = max(each[0] for each in found), max(each[1] for each in found)
        return came, _sum((each[2], each[3]) for each in found)

    def _flow_totals(self, *, passing: bool) -> dict[int, Counted]:
        """What came to the flows that pass packets on, or to those that drop them."""
        sums = {number: gone for (number, passes), gone in self._gone.items() if passes is passing}
        for (number, passes, _), (packets, size) in self._flows:
            if passes is passing:
                sums[number] = _sum((sums.get(number, _NOTHING), (packets, size)))
        return sums


def _sum(parts: Iterable[Counted]) -> Counted:
    packets, size = 0, 0
    for more_packets, more_bytes in parts:
        packets, size = packets + more_packets, size + more_bytes
    return packets, size


def _less(whole: Counted, part: Counted) -> Counted:
    return max(0, whole[0] - part[0]), max(0, whole[1] - part[1])


def _most(one: Counted, other: Counted) -> Counted:
    return max(one[0], other[0]), max(one[1], other[1])
