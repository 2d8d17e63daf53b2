"""The command line against a REST server that runs, and rows that a controller would write."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Self

from nib.database import Nib
from nib.draft import Draft
from nib.intent import Container
from tests.commands import one_line, run_here
from tests.switch.rest_server import RestServer, serving
from tests.waiting import until


class CommandLine:
    """Commands; `server` is what they talk to, `nib` a client of its database."""

    def __init__(self, server: RestServer, nib: Nib) -> None:
        self.server = server
        self.nib = nib
        self._api = {"PREWIRE_API": server.settings.api_url}

    @classmethod
    @contextmanager
    def running(cls) -> Iterator[Self]:
        """With a server of its own."""
        with serving() as server, Nib(server.settings.nib_remote, "test") as nib:
            yield cls(server, nib)

    def __call__(self, *words: str) -> str:
        """What a command prints; it must succeed."""
        done = run_here(*words, env=self._api)
        assert (done.returncode, done.stderr) == (0, ""), done
        return done.stdout

    def read(self, *words: str) -> Any:
        """The same as JSON."""
        return json.loads(self(*words, "-o", "json"))

    def refused(self, *words: str) -> str:
        """What it complains of; it must fail."""
        return one_line(run_here(*words, env=self._api))

    def shown(self, text: str, *words: str) -> None:
        """Wait until the command prints this text: the server hears of rows a little later."""
        until(lambda: self(*words), lambda printed: text in printed, f"{words} shows {text}")

    def number_of(self, container: str, service: str = "web") -> int:
        """A container's number, as of all that commands have changed so far."""
        generation = self.server.http.get("/v1/status").json()["generation"]
        self.nib.when(lambda view: view.generation >= generation).result(60)
        with self.nib.view() as view:
            return view.need(Container, (service, container)).number

    def write(self, *records: Any) -> None:
        """Rows as others write them; they are in the database when this returns."""

        def change(draft: Draft) -> None:
            for record in records:
                draft.put(record)

        self.nib.write(change).result(60)
