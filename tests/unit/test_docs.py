"""The documentation: generated parts are up to date, links resolve, commands exist."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from gateway_lb import pipeline
from openflow import tables
from prewire.api import problems
from prewire.docs import example as docs_example
from prewire.docs import interfaces as docs_interfaces
from prewire.docs import pipeline as docs_pipeline
from prewire.docs import writing as docs

ROOT = docs.ROOT
HAND_KEPT = (ROOT / "README.md", ROOT / "CHANGELOG.md", ROOT / "CONTRIBUTING.md")
PAGES = sorted([*HAND_KEPT, *(ROOT / "docs").rglob("*.md"), *(ROOT / "examples").rglob("*.md")])
LINK = re.compile(r"!?\[[^\]]*\]\(([^)\s]+)\)")
COMMAND = re.compile(r"\bprewire ((?:[a-z]+(?:-[a-z]+)*(?: |\b))+)")
COMMENT = re.compile(r"^#.*$", re.MULTILINE)


def named(page: Path) -> str:
    return str(page.relative_to(ROOT))


def shell_blocks(text: str) -> str:
    return "\n".join(re.findall(r"```sh\n(.*?)```", text, re.DOTALL))


def anchors(page: Path) -> set[str]:
    """Anchors of a page's headings, as GitHub and most renderers name them."""
    text = re.sub(r"```.*?```", "", page.read_text(encoding="utf-8"), flags=re.DOTALL)
    headings = re.findall(r"^#+ (.+)$", text, re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def test_generated_parts_are_up_to_date() -> None:
    stale = [named(page) for page in docs.outdated()]
    assert not stale, f"{', '.join(stale)}: run `make docs`"


@pytest.mark.parametrize("page", PAGES, ids=named)
def test_links_resolve(page: Path) -> None:
    broken = []
    for link in LINK.findall(page.read_text(encoding="utf-8")):
        if link.startswith(("http://", "https://")):
            continue
        path, _, anchor = link.partition("#")
        target = (page.parent / path).resolve() if path else page
        if not target.exists() or (anchor and anchor not in anchors(target)):
            broken.append(link)
    assert not broken


@pytest.mark.parametrize("page", PAGES, ids=named)
def test_commands_exist(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    spans = [*re.findall(r"`(prewire [^`\n]+)`", text), COMMENT.sub("", shell_blocks(text))]
    known = docs_interfaces.command_names()
    groups = {" ".join(words[:n]) for words in map(str.split, known) for n in range(1, len(words))}
    for first, *words in (found.split() for span in spans for found in COMMAND.findall(span)):
        command = first
        while command in groups and words:
            command = f"{command} {words.pop(0)}"
        assert command in known or command in groups, f"`prewire {command}` does not exist"


def test_every_generated_page_is_read_from_the_repository() -> None:
    assert all((docs.FOLDER / page).is_file() for page in docs.PAGES)


def test_a_part_that_nothing_writes_is_refused() -> None:
    with pytest.raises(docs.PageError, match="nothing writes the part 'poem'"):
        docs.filled("cli.md", "<!-- begin poem -->\n<!-- end poem -->")


def test_a_page_that_lost_its_part_is_refused() -> None:
    with pytest.raises(docs.PageError, match="'commands' is missing"):
        docs.filled("cli.md", "# Command line\n")


def test_check_is_silent_when_all_is_well(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(docs, "outdated", dict)
    assert docs.main(["--check"]) == 0
    assert capsys.readouterr() == ("", "")


def test_check_names_what_is_out_of_date(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    stale = {ROOT / "docs" / "cli.md": "new text"}
    monkeypatch.setattr(docs, "outdated", lambda: stale)
    before = (ROOT / "docs" / "cli.md").read_text(encoding="utf-8")
    assert docs.main(["--check"]) == 1
    assert "docs/cli.md is out of date" in capsys.readouterr().err
    assert (ROOT / "docs" / "cli.md").read_text(encoding="utf-8") == before


def test_other_arguments_are_wrong_usage(capsys: pytest.CaptureFixture[str]) -> None:
    assert docs.main(["--chek"]) == 2
    assert "usage" in capsys.readouterr().err


def test_the_rest_page_lists_every_kind_of_problem() -> None:
    text = (docs.FOLDER / "rest.md").read_text(encoding="utf-8")
    kinds = {*problems._KINDS.values(), problems._UNEXPECTED}
    for kind in kinds:
        assert re.search(rf"\| `urn:prewire:problem:{kind.name}` \| {kind.status} \|", text)


def test_the_pipeline_page_has_a_section_for_every_table() -> None:
    text = docs_pipeline.flows()
    for table in tables.PIPELINE:
        assert f"### {table.number} {table.name}\n" in text


def test_no_slot_of_the_example_leads_to_the_draining_container() -> None:
    group = docs_example.service_group()
    drained = 4
    assert len(group.buckets) == 64
    assert pipeline._bucket(drained) not in group.buckets


def test_the_newcomers_question_is_answered_in_two_files() -> None:
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    assert "[gateway_lb/pipeline.py](gateway_lb/pipeline.py)" in text
    assert hasattr(pipeline, "service_group")
