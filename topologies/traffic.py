"""HTTP traffic for a host of a test network: `python -m topologies.traffic MODE HOST PORT N`.

`fresh` makes N requests, each on a connection of its own, and prints how many each container
answered. `held` opens N keep-alive connections, prints a line when all have had an answer, requests
on each in turn until its standard input ends, and prints what became of each. Results are one line
of JSON; a web server of these networks names its container in the header X-Container.

Bounded: N is at most 100,000, a held run ends after two minutes by itself.
"""

from __future__ import annotations

import http.client
import json
import select
import sys
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Final

MAX_COUNT: Final = 100_000
MAX_SECONDS: Final = 120.0
_ANSWER_SECONDS: Final = 3.0
_PAUSE_SECONDS: Final = 0.002


@dataclass(slots=True)
class Held:
    """One keep-alive connection: who answered first, how often, and what went wrong.

    strayed: answers by another container; failures: requests without an answer.
    """

    container: str
    requests: int = 0
    failures: int = 0
    strayed: int = 0


def fresh(host: str, port: int, count: int) -> dict[str, object]:
    """Make `count` requests on new connections: answers by container, and failures."""
    answered: Counter[str] = Counter()
    failures = 0
    for _ in range(count):
        connection = http.client.HTTPConnection(host, port, timeout=_ANSWER_SECONDS)
        try:
            answered[_ask(connection)] += 1
        except (OSError, http.client.HTTPException):
            failures += 1
        finally:
            connection.close()
    return {"answered": dict(sorted(answered.items())), "failures": failures}


def held(host: str, port: int, count: int) -> list[dict[str, object]]:
    """Keep `count` connections busy until standard input ends; one result a connection."""
    connections = [
        http.client.HTTPConnection(host, port, timeout=_ANSWER_SECONDS) for _ in range(count)
    ]
    results = [Held(_ask(connection)) for connection in connections]
    print("ready", flush=True)  # noqa: T201 - the line that the other side waits for
    deadline = time.monotonic() + MAX_SECONDS
    while time.monotonic() < deadline:
        for connection, result in zip(connections, results, strict=True):
            _ask_again(connection, result)
        readable, _, _ = select.select([sys.stdin], [], [], _PAUSE_SECONDS)
        if readable:
            break
    return [asdict(result) for result in results]


def _ask(connection: http.client.HTTPConnection) -> str:
    connection.request("GET", "/")
    response = connection.getresponse()
    response.read()
    return response.headers.get("X-Container", "?")


def _ask_again(connection: http.client.HTTPConnection, result: Held) -> None:
    """One more request; the connection is never opened anew, so a broken one stays broken."""
    if connection.sock is None:
        result.failures += 1
        return
    try:
        answered = _ask(connection)
    except (OSError, http.client.HTTPException):
        result.failures += 1
        connection.close()
        return
    result.requests += 1
    result.strayed += answered != result.container


def main(argv: Sequence[str]) -> None:
    """The command."""
    mode, host, port, count = argv
    run = {"fresh": fresh, "held": held}[mode]
    print(json.dumps(run(host, int(port), min(int(count), MAX_COUNT))))  # noqa: T201


if __name__ == "__main__":
    main(sys.argv[1:])
