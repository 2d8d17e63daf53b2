"""Targets: documents. YAML, JSON, TOML and CSV files, bodies of requests, and kept state."""

from __future__ import annotations

import contextlib
import os
import tempfile
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Final
from unittest.mock import patch

import numpy as np
from pydantic import BaseModel, ValidationError

from gateway_lb.models import ContainerIn, ReportsIn, ServiceIn
from nib.errors import FieldError, NibError
from predictor.outward.drivers.commands import read_commands
from predictor.planning.table import Table
from predictor.routes.models import (
    AcceptIn,
    DependencyIn,
    OverrideIn,
    ProvisioningIn,
    ScalingIn,
    ScheduleIn,
)
from predictor.series.cells import InputError
from predictor.series.history_file import _block
from predictor.series.inputs import read_arrivals, read_counts
from prewire import settings
from prewire.api.access.bodies import check_reports
from prewire.api.access.identity import REGISTRAR, Identity
from prewire.api.access.refusals import Refusal
from prewire.documents.document import read
from prewire.documents.models import ApplyIn
from prewire.documents.refused import ApplyRefused
from prewire.errors import CommandFailed
from qos.models import ClassIn, LinkRateIn, PolicyIn
from tests.fuzz.taker import Taker
from tests.fuzz.target import Target

_EXAMPLES: Final = Path(__file__).parent.parent.parent / "examples"
_SCRATCH: Final = Path(tempfile.gettempdir()) / f"prewire-fuzz-{os.getpid()}"


def _file(suffix: str, content: bytes) -> Path:
    """A file of this process that is written anew each time."""
    path = _SCRATCH.with_suffix(suffix)
    path.write_bytes(content)
    return path


def _in_file(suffix: str, read_file: Callable[[Path], object], content: bytes) -> None:
    path = _file(suffix, content)
    try:
        read_file(path)
    finally:
        path.unlink()


# ------------------------------------------------------------------------------- files


def _document(data: bytes) -> None:
    read("a.yaml", data)


def _documents() -> Iterator[bytes]:
    for file in sorted(_EXAMPLES.rglob("*.yaml")):
        yield file.read_bytes()[:4000]
    yield b"services: [{name: a, vip: 10.0.0.1, port: 80, health: {kind: tcp}}]\n---\nclasses: []\n"
    yield b"a: &a {x: 1}\npolicies:\n  - <<: *a\n    max_bps: 10M\n"


def _commands(data: bytes) -> None:
    _in_file(".json" if data[:1] in (b"{", b"[") else ".yaml", read_commands, data)


def _counts(data: bytes) -> None:
    for read_file in (read_counts, read_arrivals):
        with contextlib.suppress(InputError):
            _in_file(".csv", read_file, data)


def _count_seeds() -> Iterator[bytes]:
    yield b"name,m1,m2,m3\na,1,2,\nb,3,,4\n"
    yield b"time,count,name\n2026-01-31T08:00:00Z,5,a\n1790000000,2,b\n"
    yield b"timestamp,a,b\n0,1,2\n60,,4\n"
    yield b"0.5\n1.25\n3\n"


def _settings(data: bytes) -> None:
    def load(path: Path) -> None:
        with patch.dict(os.environ, {"PREWIRE_CONFIG": str(path)}):
            settings.load()

    _in_file(".toml", load, data)


# ------------------------------------------------------------------------------- bodies

_BODIES: Final[tuple[tuple[type[BaseModel], Callable[[Any], object]], ...]] = (
    (ServiceIn, lambda given: given.record("web")),
    (ContainerIn, lambda given: given.registration("web", "c1")),
    (ReportsIn, lambda given: [each.item(each.service, each.container) for each in given.reports]),
    (ClassIn, lambda given: given.record("bulk")),
    (PolicyIn, lambda given: given.record("to-db")),
    (LinkRateIn, lambda given: given.record("0" * 15 + "1", "veth1")),
    (ScalingIn, lambda given: given.record("web")),
    (ProvisioningIn, lambda given: given.record("to-db")),
    (ScheduleIn, lambda given: given.record("morning")),
    (OverrideIn, str),
    (DependencyIn, str),
    (AcceptIn, str),
    (ApplyIn, str),
)
_REGISTRAR: Final = Identity("a", REGISTRAR, frozenset({"web"}))


def _keys(model: type[BaseModel]) -> list[str]:
    """Its fields' names, and those of its parts."""
    schema = model.model_json_schema()
    parts = [schema, *schema.get("$defs", {}).values()]
    return sorted({name for part in parts for name in part.get("properties", ())})


def _words_of(model: type[BaseModel]) -> tuple[str, ...]:
    own = ("10M", "1.5 Gbps", "30s", "2026-11-22T18:30:00Z", "10.0.0.1", "web", "tcp", "55 7 * * 1")
    return (*_keys(model), *own)


_WORDS: Final = tuple(_words_of(model) for model, _ in _BODIES)
_MADE: Final = tuple(model.model_json_schema().get("examples", [{}]) for model, _ in _BODIES)


def _body(data: bytes) -> None:
    """The body of a request: first whether it is the registrar's, then what it says."""
    taker = Taker(data)
    number = taker.number(len(_BODIES) - 1)
    model, use = _BODIES[number]
    text = taker.json(_WORDS[number], _MADE[number])
    with contextlib.suppress(Refusal):
        check_reports(text, _REGISTRAR)
    use(model.model_validate_json(text))


# ------------------------------------------------------------------------------- kept state


def _table() -> Table:
    return Table({"level": ((), 0.0), "week": ((40,), float("nan"))})


def _kept(data: bytes) -> None:
    """What a predictor keeps between runs, damaged."""
    if data[:1] == b"b":
        _block(data[2:], data[1] + 1 if len(data) > 1 else 1)
    else:
        _table().load(data, {"version": 1})


def _kept_seeds() -> Iterator[bytes]:
    table = _table()
    table.rows(("a", "b"))
    yield table.save({"more": np.arange(3.0)}, {"version": 1})
    yield b"b\3" + zlib.compress(np.zeros((2, 4), np.float32).tobytes())


TARGETS: Final = (
    Target(
        "yaml",
        _document,
        (CommandFailed, ApplyRefused),
        _documents,
        ("services:", "policies:", "- ", "<<: *", "&a ", "!!", "---\n", "|\n", "? ", "%YAML 1.2\n"),
    ),
    Target(
        "commands-file",
        _commands,
        (FieldError,),
        lambda: [b"shop:\n- {id: a, start: 'x y', environment: {A: 1}}\n", b'{"a": [{"id": 1}]}'],
        ("id:", "start:", "after_start:", "before_stop:", "environment:"),
    ),
    Target("csv", _counts, (), _count_seeds, ("time", "count", "name", "m1", "1e9", "nan", '"')),
    Target(
        "settings",
        _settings,
        (CommandFailed,),
        lambda: [b'api_port = 8080\nnib = "tcp:10.0.0.1:6641"\n'],
        tuple(f"{name} = " for name in settings.Settings.model_fields),
    ),
    Target("request-bodies", _body, (FieldError, NibError, ValidationError)),
    Target("kept-state", _kept, (ValueError,), _kept_seeds),
)
