"""HTTP load: `load.py HOST PORT CONNECTIONS AT_LEAST PAUSE_MS`, until standard input ends.

Requests on so many keep-alive connections at once, and on one new connection after another; at
least AT_LEAST in all, for two minutes at most, with a pause after each. Prints one line when the
first answers are there, and at the end one line of JSON: requests, failures (with reasons), and
answers by container.
"""

import http.client
import json
import sys
import threading
import time
from collections import Counter

MAX_SECONDS = 120
HOST, PORT, CONNECTIONS, AT_LEAST, PAUSE_MS = sys.argv[1], *map(int, sys.argv[2:])


class Load:
    def __init__(self) -> None:
        self.answers: Counter[str] = Counter()
        self.failures: list[str] = []
        self.began = threading.Barrier(CONNECTIONS + 2)
        self.asked_to_end = threading.Event()
        self.deadline = time.monotonic() + MAX_SECONDS

    def goes_on(self) -> bool:
        self.asked_to_end.wait(PAUSE_MS / 1000)
        enough = self.asked_to_end.is_set() and self.answers.total() >= AT_LEAST
        return not enough and time.monotonic() < self.deadline

    def keep_alive(self) -> None:
        connection = http.client.HTTPConnection(HOST, PORT, timeout=5)
        self.ask(connection, "keep-alive")
        self.began.wait()
        while self.goes_on():
            self.ask(connection, "keep-alive")
        connection.close()

    def fresh(self) -> None:
        self.began.wait()
        while self.goes_on():
            connection = http.client.HTTPConnection(HOST, PORT, timeout=5)
            self.ask(connection, "new")
            connection.close()

    def ask(self, connection: http.client.HTTPConnection, kind: str) -> None:
        try:
            connection.request("GET", "/")
            answer = connection.getresponse()
            answer.read()
            self.answers[answer.headers["X-Container"] or "nobody"] += 1
        except (OSError, http.client.HTTPException) as error:
            self.failures.append(f"{kind}: {error!r}")
            connection.close()


def main() -> None:
    load = Load()
    work = [load.fresh] + [load.keep_alive] * CONNECTIONS
    threads = [threading.Thread(target=each) for each in work]
    for thread in threads:
        thread.start()
    load.began.wait()
    sys.stdout.write("ready\n")
    sys.stdout.flush()
    sys.stdin.read()
    load.asked_to_end.set()
    for thread in threads:
        thread.join()
    result = {
        "requests": load.answers.total() + len(load.failures),
        "failures": len(load.failures),
        "reasons": load.failures[:5],
        "answers": load.answers,
    }
    sys.stdout.write(json.dumps(result) + "\n")


main()
