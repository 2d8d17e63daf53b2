"""The example of a settings file, and the reference that is made with it."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest

from prewire.docs import settings as reference
from prewire.docs.writing import ROOT
from prewire.settings import Settings, load

EXAMPLE = ROOT / "deploy/prewire.toml.example"


def test_the_file_is_as_the_settings_are() -> None:
    assert EXAMPLE.read_text("utf-8") == reference.example_file(), "run `make docs`"


def test_taken_out_of_their_comments_all_settings_are_the_defaults(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    text = re.sub(r"^# (\w+ = )", r"\1", EXAMPLE.read_text("utf-8"), flags=re.MULTILINE)
    given = tomllib.loads(text)
    unset = {name for name, field in Settings.model_fields.items() if field.default is None}
    assert given.keys() | unset == Settings.model_fields.keys()
    file = tmp_path / "prewire.toml"
    file.write_text(text, "utf-8")
    for name in Settings.model_fields:
        monkeypatch.delenv(f"PREWIRE_{name.upper()}", raising=False)
    monkeypatch.setenv("PREWIRE_CONFIG", str(file))
    assert load() == Settings.model_construct()


def test_every_setting_is_under_its_process() -> None:
    lost = [name for name in Settings.model_fields if reference.group_of(name) == "Others"]
    assert not lost, f"name them in _GROUPS of prewire/docs/settings.py: {lost}"


def test_the_reference_has_every_setting_with_range_and_default() -> None:
    said = reference.reference()
    assert "| `probe_ms` | whole number, 50 to 10,000 | `200` |" in said
    assert '| `log_level` | `debug` or `info` or `warning` or `error` | `"info"` |' in said
    for name in Settings.model_fields:
        assert f"| `{name}` |" in said
