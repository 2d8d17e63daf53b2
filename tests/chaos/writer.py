"""Writers that register, change and delete containers by REST, and note what was acknowledged."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from random import Random
from typing import Any, Final

import httpx

from tests.chaos.deployment import Rest
from tests.chaos.ledger import Key, Ledger, Value
from tests.chaos.traffic import CONTAINER_PORT, SERVICE
from topologies.spec import HostSpec

SERVICES: Final = 4
PACE_S: Final = 0.4
WRITE_S: Final = 10.0

_KEYS: Final = 30  # of each writer at a time, beside those in doubt
_CHURNED: Final = "churn"
_DELETED: Final = 0.3
_NAMES: Final = ("iface_id", "address", "port", "weight", "version")
_WEIGHTS: Final = (1, 5)  # of containers that hold connections: none is ever left out


class Writer:
    """One thread. It owns its keys; `held`: containers of the traffic whose weights it changes."""

    def __init__(
        self, rest: Rest, ledger: Ledger, number: int, hosts: Sequence[HostSpec], held: list[str]
    ) -> None:
        self.ending = threading.Event()
        self.refusals: list[str] = []
        self._rest = rest
        self._ledger = ledger
        self._number = number
        self._hosts = {host.name: host for host in hosts}
        self._random = Random(number)
        self._count = 0
        self._versions = 0
        self._held: list[Key] = [(SERVICE, name) for name in held]
        self._keys: list[Key] = []

    def write(self) -> None:
        """One after the other, until `ending` is set."""
        while not self.ending.wait(PACE_S):
            key = self._chosen()
            value = self._value(key)
            try:
                answered = self._send(key, value)
            except httpx.HTTPError:
                answered = False
            if not answered:
                self._await_answers()

    def _chosen(self) -> Key:
        self._held = [key for key in self._held if self._ledger.is_sure(key)]
        self._keys = [key for key in self._keys if self._ledger.is_sure(key)]
        if self._held and self._random.random() < 1 / 4:
            return self._random.choice(self._held)
        if len(self._keys) < _KEYS:
            self._count += 1
            service = f"{_CHURNED}{self._random.randrange(SERVICES)}"
            self._keys.append((service, f"w{self._number}-{self._count}"))
            return self._keys[-1]
        return self._random.choice(self._keys)

    def _value(self, key: Key) -> Value:
        """What to write next; None: delete it."""
        is_held = key[0] == SERVICE
        known = self._ledger.value(key)
        if not is_held and known is not None and self._random.random() < _DELETED:
            return None
        self._versions += 1
        host = self._hosts[key[1] if is_held else self._random.choice(sorted(self._hosts))]
        port = CONTAINER_PORT if is_held else 10_000 + 2_000 * self._number + self._count_of(key)
        weight = self._random.randint(*_WEIGHTS)
        return host.name, host.address, port, weight, f"{self._number}.{self._versions}"

    def _count_of(self, key: Key) -> int:
        return int(key[1].partition("-")[2]) % 2_000

    def _send(self, key: Key, value: Value) -> bool:
        """Whether it was answered, and what the answer means noted."""
        path = f"/v1/services/{key[0]}/containers/{key[1]}"
        client = self._random.choice(self._rest.clients)
        self._ledger.begin(key, value)
        try:
            if value is None:
                answer = client.delete(path, params={"drain": "0"}, timeout=WRITE_S)
            else:
                answer = client.put(path, json=body_of(value), timeout=WRITE_S)
        except httpx.HTTPError:
            self._ledger.doubt(key)
            raise
        if answer.is_success:
            self._ledger.acknowledge(key)
        elif answer.is_client_error:
            self._ledger.refuse(key)
            self.refusals.append(f"{answer.status_code} {answer.text}"[:300])
        else:
            self._ledger.doubt(key)
            self.refusals.append(f"{answer.status_code} {answer.text}"[:300])
        return not answer.is_server_error

    def _await_answers(self) -> None:
        """So that an outage leaves few keys in doubt."""
        while not self.ending.wait(PACE_S) and not self._rest.ready():
            pass


def body_of(value: tuple[object, ...]) -> dict[str, Any]:
    """What is PUT for a value of the ledger."""
    return dict(zip(_NAMES, value, strict=True))


def held_value(host: HostSpec, weight: int = 1, version: str = "0") -> tuple[object, ...]:
    """A container that holds connections, as the ledger has it."""
    return host.name, host.address, CONTAINER_PORT, weight, version


def stored(container: dict[str, Any]) -> tuple[Key, Value]:
    """A container as REST shows it, as the ledger has it."""
    return (container["service"], container["id"]), tuple(container[name] for name in _NAMES)


@contextmanager
def writing(
    rest: Rest, ledger: Ledger, hosts: Sequence[HostSpec], threads: int = 2
) -> Iterator[list[Writer]]:
    """Inside the body."""
    names = [host.name for host in hosts]
    writers = [
        Writer(rest, ledger, number, hosts, names[number::threads]) for number in range(threads)
    ]
    running = [threading.Thread(target=writer.write) for writer in writers]
    for thread in running:
        thread.start()
    try:
        yield writers
    finally:
        for writer in writers:
            writer.ending.set()
        for thread in running:
            thread.join(60)
