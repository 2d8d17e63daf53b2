"""Clients that come and go: of REST and its watches, of gRPC, of pages; and the command line."""

from __future__ import annotations

import random
import socket
from typing import Any, Final

import grpc
import httpx

from predictor.outward.generated import predictor_pb2 as pb
from predictor.outward.generated import predictor_pb2_grpc as rpc
from tests import commands
from tests.soak.site import Soaked
from tests.soak.workers import Worker

_LISTS: Final = (
    *("services", "containers", "policies", "switches", "links", "hosts", "events?limit=50"),
    *("plans", "scalings", "provisionings", "bandwidth", "status", "topology", "demand"),
)
_WATCHED: Final = "services,containers,events,policies,links,status,plans"
_PAGE: Final = (
    "/",
    "/page/main.js",
    "/page/app.js",
    "/v1/readings?kinds=links,services",
    "/v1/topology",
)
_COMMANDS: Final = (("status",), ("get", "services"), ("policy", "list"), ("topology",))
_READ: Final = 4 << 10  # bytes
_COMMAND_SECONDS: Final = 180.0  # a second on an idle machine


class Clients:
    """The turns of each kind; a seed gives what each asks for."""

    def __init__(self, site: Soaked, seed: int) -> None:
        self._site = site
        self._random = random.Random(seed)

    @property
    def workers(self) -> list[Worker]:
        """All kinds."""
        lost = (httpx.TransportError,)
        return [
            Worker("reader", 0.5, self._read, lost),
            *(Worker(f"watcher {number}", 1.0, self._watch, lost) for number in (1, 2, 3)),
            Worker("watcher that does not read", 20.0, self._ignore, (OSError,)),
            Worker("page", 5.0, self._page, lost),
            Worker("subscriber", 5.0, self._subscribe, (grpc.RpcError,)),
            Worker("command", 20.0, self._command),
            Worker("caller without a word", 3.0, self._knock, (OSError,)),
        ]

    def _read(self) -> None:
        """A list, on a connection of its own."""
        with self._site.client() as http:
            answer = http.get(f"/v1/{self._random.choice(_LISTS)}")
            again = http.get(str(answer.url), headers={"If-None-Match": answer.headers["ETag"]})
            assert max(answer.status_code, again.status_code) < 400, answer.text

    def _watch(self) -> None:
        """Some kinds, for some seconds; then the connection is closed without a word."""
        timeout = self._random.uniform(0.5, 6)
        query: dict[str, Any] = {"kinds": _WATCHED, "timeout": timeout}
        with self._site.client() as http, http.stream("GET", "/v1/watch", params=query) as told:
            assert told.status_code == 200, told.status_code
            most = self._random.choice((10, 10_000))
            for number, _line in enumerate(told.iter_lines()):
                if number > most:
                    break

    def _ignore(self) -> None:
        """A watch that is not read, until the connection is reset."""
        with socket.create_connection(("127.0.0.1", self._site.settings.api_port), 10) as client:
            head = f"GET /v1/watch?kinds={_WATCHED} HTTP/1.1\r\nHost: localhost\r\n"
            client.sendall(f"{head}Authorization: Bearer {self._site.token}\r\n\r\n".encode())
            client.settimeout(10)
            client.recv(_READ)

    def _page(self) -> None:
        """What a browser loads, and asks for while it is open."""
        with self._site.client() as http:
            for path in _PAGE:
                answer = http.get(path)
                assert answer.is_success, f"{path}: {answer.status_code}"

    def _subscribe(self) -> None:
        """Plans and forecasts, some events of each; then the channel is closed."""
        target = f"127.0.0.1:{self._site.settings.predictor_port}"
        with grpc.insecure_channel(target) as channel:
            stub = rpc.PredictorStub(channel)  # type: ignore[no-untyped-call]
            plans = stub.WatchPlans(pb.WatchPlansRequest(), timeout=20)
            assert next(plans) is not None
            forecasts = stub.WatchForecasts(pb.WatchForecastsRequest(), timeout=20)
            assert next(forecasts) is not None
            stub.ListPredictors(pb.ListPredictorsRequest(), timeout=20)
            plans.cancel()

    def _command(self) -> None:
        given = self._site.settings
        env = {"PREWIRE_API": given.api_url, "PREWIRE_TOKEN": self._site.token}
        done = commands.run(*self._random.choice(_COMMANDS), env=env, timeout_s=_COMMAND_SECONDS)
        assert done.returncode == 0, done.stderr

    def _knock(self) -> None:
        """Connections that are closed, or half closed, before anything is said."""
        given = self._site.settings
        for port in (given.controller_port, given.api_port, given.predictor_port):
            with socket.create_connection(("127.0.0.1", port), 5) as client:
                client.shutdown(socket.SHUT_WR)
