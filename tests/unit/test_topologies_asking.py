"""The token of programs in a network, by their environment."""

from __future__ import annotations

from pathlib import Path

from topologies.asking import headers


def test_the_token_is_the_variables_or_in_a_file(tmp_path: Path) -> None:
    assert headers({}) == {}
    assert headers({"PREWIRE_STATE_DIR": str(tmp_path)}) == {}
    (tmp_path / "admin.token").write_text("pw_own\n")
    own = {"PREWIRE_STATE_DIR": str(tmp_path)}
    assert headers(own) == {"Authorization": "Bearer pw_own"}
    (tmp_path / "other").write_text("pw_file\n")
    filed = {**own, "PREWIRE_TOKEN_FILE": str(tmp_path / "other")}
    assert headers(filed) == {"Authorization": "Bearer pw_file"}
    assert headers({**filed, "PREWIRE_TOKEN": "pw_given"}) == {"Authorization": "Bearer pw_given"}
