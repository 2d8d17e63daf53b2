"""Changes of intent without end: a seed gives their order. Some names come again, others never.

What there is at a time is bounded; what was made once is not: what is kept by name grows then.
`web` and `dns` and what is theirs stay; they are only changed.
"""

from __future__ import annotations

import random
import time
from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any, Final

import httpx

from tests.soak.pages import Made
from topologies.spec import HostSpec

MOST_SERVICES: Final = 10
MOST_POLICIES: Final = 8
_AGAIN: Final = 6  # names of each kind that come again
_NEVER_AGAIN: Final = 0.25  # the part of names that are new for ever
_REFUSED: Final = frozenset({404, 409, 412})  # of what raced with a lease's or a drain's end


class Churn:
    """One change after another, as an operator and as containers make them."""

    def __init__(
        self, http: httpx.Client, hosts: Sequence[HostSpec], made: Made, seed: int
    ) -> None:
        self._http = http
        self._hosts = hosts
        self._made = made
        self._random = random.Random(seed)
        self._services: dict[str, set[str]] = {}  # and their containers
        self._policies: list[str] = []
        self._numbers = 0
        self.done: Counter[str] = Counter()
        self.unexpected: Counter[str] = Counter()
        self._steps: dict[Callable[[], None], int] = {
            self._add_service: 4,
            self._remove_service: 3,
            self._add_container: 16,
            self._remove_container: 10,
            self._report: 30,
            self._change_container: 8,
            self._state_policy: 10,
            self._remove_policy: 4,
            self._plan: 5,
            self._override: 3,
            self._renew: 5,
        }

    def step(self) -> None:
        """One change."""
        [chosen] = self._random.choices(list(self._steps), list(self._steps.values()))
        chosen()

    def clear(self) -> None:
        """Delete all that was made, and the hosts that were heard."""
        for policy in self._policies:
            self._call("DELETE", f"policies/{policy}")
        for service in self._services:
            self._call("DELETE", f"services/{service}")
        self._policies.clear()
        self._services.clear()
        for each in self._http.get("/v1/schedules").json()["items"]:
            self._call("DELETE", f"schedules/{each['name']}")

    # ------------------------------------------------------------------ services

    def _add_service(self) -> None:
        name = self._name("service", self._services)
        if len(self._services) >= MOST_SERVICES or name is None:
            return
        number = self._numbers = self._numbers + 1
        body = {"vip": f"10.0.{200 + number % 40}.{1 + number % 250}", "port": 80 + number % 50}
        more: Sequence[dict[str, Any]] = (
            {},
            {"policy": "least_inflight", "slow_start_seconds": 5},
            {"policy": "source_affinity", "affinity_seconds": 10},
            {"max_connections": 50, "extra_ports": [{"port": 443, "target": 8443}]},
            {"health": {"kind": "http", "path": "/", "interval_ms": 1000}},
            {"on_empty": "hold", "ejection": {"failure_percent": 50}},
            {"mode": "stateless"},
        )
        self._made.note("service", name, at=time.monotonic())
        if self._call("PUT", f"services/{name}", {**body, **self._random.choice(more)}):
            self._services[name] = set()

    def _remove_service(self) -> None:
        if len(self._services) > MOST_SERVICES // 2:
            name = self._random.choice(list(self._services))
            del self._services[name]
            self._call("DELETE", f"services/{name}")

    def _add_container(self) -> None:
        if not self._services:
            return
        service = self._random.choice(list(self._services))
        there = self._services[service]
        host = self._random.choice(self._hosts)
        if any(name.partition("-")[0] == host.name for name in there):
            return
        is_new = self._random.random() < _NEVER_AGAIN
        self._numbers += is_new
        name = f"{host.name}-{self._numbers}" if is_new else host.name
        body: dict[str, Any] = {**_place(host), "port": 8080}
        body |= self._random.choice(({}, {"lease_seconds": 20}, {"weight": 3}, {"version": "v2"}))
        self._made.note("container", service, name, at=time.monotonic())
        if self._call("PUT", f"services/{service}/containers/{name}", body, wait=True):
            there.add(name)

    def _remove_container(self) -> None:
        found = self._some_container()
        if found is not None:
            service, name = found
            self._services[service].discard(name)
            drain = self._random.choice(("0", "1s", "3s"))
            self._call("DELETE", f"services/{service}/containers/{name}?drain={drain}")

    def _change_container(self) -> None:
        """Of `web`: its weight."""
        host = self._random.choice(self._hosts)
        body = {**_place(host), "port": 8080}
        weight = self._random.randint(1, 10)
        self._call("PUT", f"services/web/containers/{host.name}", {**body, "weight": weight})

    def _report(self) -> None:
        reports = []
        for host in self._hosts:
            words = self._random.choice(("up 50%", "up 100%", "75%", "up"))
            busy = {"words": words, "inflight": self._random.randint(0, 20)}
            reports.append({"service": "web", "container": host.name, **busy})
        found = self._some_container()
        if found is not None:
            service, name = found
            reports.append({"service": service, "container": name, "words": "up 90%"})
        self._call("POST", "reports", {"reports": reports})

    def _renew(self) -> None:
        found = self._some_container()
        if found is not None:
            service, name = found
            self._call("POST", f"services/{service}/containers/{name}/renew")

    # ------------------------------------------------------------------ policies

    def _state_policy(self) -> None:
        """A new one, or another limit of one that is there; or of `to-web`."""
        limit = f"{self._random.randint(500, 2000)}M"
        if self._random.random() < 0.3:
            self._call("PUT", "policies/to-web", {"destination": "web", "max_bps": limit})
            return
        name = self._name("policy", self._policies)
        if len(self._policies) >= MOST_POLICIES or name is None or self._random.random() < 0.5:
            name = self._random.choice(self._policies) if self._policies else None
        if name is None:
            return
        ends = [*self._services, "dns", "web"]
        body: dict[str, Any] = {"destination": self._random.choice(ends), "max_bps": limit}
        body["source"] = self._random.choice([*ends, None])
        body |= self._random.choice(({}, {"class": "bulk"}, {"max_pps": 50_000}))
        if body["source"] == body["destination"]:
            body["source"] = None
        if name not in self._policies:
            self._made.note("policy", name, at=time.monotonic())
        if self._call("PUT", f"policies/{name}", body) and name not in self._policies:
            self._policies.append(name)

    def _remove_policy(self) -> None:
        if len(self._policies) > MOST_POLICIES // 2:
            name = self._policies.pop(self._random.randrange(len(self._policies)))
            self._call("DELETE", f"policies/{name}")

    # ------------------------------------------------------------------ plans

    def _plan(self) -> None:
        """A service is planned for, or no more; or a schedule for it."""
        if not self._services:
            return
        service = self._random.choice(list(self._services))
        kind = self._random.randrange(3)
        if kind == 0:
            self._call("PUT", f"services/{service}/scaling", {"concurrency": 4})
        elif kind == 1:
            self._call("DELETE", f"services/{service}/scaling")
        else:
            body = {"cron": "*/5 * * * *", "duration_seconds": 60, "containers": 2}
            name = f"again-{self._random.randrange(_AGAIN)}"
            self._call("PUT", f"schedules/{name}", {**body, "service": service})

    def _override(self) -> None:
        body = {"max_bps": "1G", "for": "5s", "reason": "soak"}
        self._call("PUT", "overrides/policy/to-web", body)

    # ------------------------------------------------------------------ calls

    def _name(self, kind: str, taken: Any) -> str | None:
        """One that comes again and is free, or one that never was."""
        if self._random.random() < _NEVER_AGAIN:
            self._numbers += 1
            return f"{kind}-new-{self._numbers}"
        names = [f"{kind}-{number}" for number in range(_AGAIN)]
        free = [name for name in names if name not in taken]
        return self._random.choice(free) if free else None

    def _some_container(self) -> tuple[str, str] | None:
        places = [(service, name) for service, names in self._services.items() for name in names]
        return self._random.choice(sorted(places)) if places else None

    def _call(self, method: str, path: str, body: Any = None, *, wait: bool = False) -> bool:
        """Whether it was done. What is neither a success nor a refusal is counted."""
        params = {"wait": "applied"} if wait and self._random.random() < 0.2 else None
        what = f"{method} {path.partition('/')[0]}"
        try:
            answer = self._http.request(method, f"/v1/{path}", json=body, params=params)
        except httpx.TransportError as error:
            self.unexpected[f"{what}: {type(error).__name__}"] += 1
            return False
        self.done[what] += 1
        if answer.is_success:
            return True
        if not _is_refusal(answer, has_waited=params is not None):
            self.unexpected[f"{what}: {answer.status_code} {answer.text[:200]}"] += 1
        return False


def _place(host: HostSpec) -> dict[str, Any]:
    return {"address": host.address, "iface_id": host.name}


def _is_refusal(answer: httpx.Response, *, has_waited: bool) -> bool:
    """Of what may be asked: late, by a race with an end, or of a port whose bridge is away."""
    if answer.status_code == 422:
        return bool(answer.json()["field"] == "iface_id")
    return answer.status_code in _REFUSED or (has_waited and answer.status_code == 504)
