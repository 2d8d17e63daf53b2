"""Databases as earlier versions of prewire made them."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TypeAlias

Rows: TypeAlias = Sequence[tuple[str, Mapping[str, object]]]


def released_schema(version: str) -> Path:
    """The schema of that version."""
    return Path(__file__).with_name(f"prewire-{version}.ovsschema")


def make_released(path: Path, version: str, rows: Rows = ()) -> None:
    """A database file of that version with these rows; a service is `web`."""
    make_database(path, released_schema(version), rows)


def make_database(path: Path, schema: Path, rows: Rows = ()) -> None:
    """A database file of this schema with these rows; a service is `web`."""
    subprocess.run(["ovsdb-tool", "create", str(path), str(schema)], check=True)
    inserts = [
        {"op": "insert", "table": table, "row": row}
        | ({"uuid-name": "web"} if table == "Service" else {})
        for table, row in rows
    ]
    done = subprocess.run(
        ["ovsdb-tool", "transact", str(path), json.dumps(["Prewire", *inserts])],
        check=True,
        capture_output=True,
        text=True,
    )
    assert "error" not in done.stdout
