"""Files of `prewire apply`: what YAML means here, and what is refused, with its place."""

from __future__ import annotations

from typing import Any

import pytest

from prewire.documents.document import BadDocument, read
from prewire.documents.refused import ApplyRefused


def values(text: str) -> list[Any]:
    """What a list of a member holds."""
    return read("f", f"policies: [{text}]".encode())["policies"]


def refused(text: str | bytes) -> str:
    """What the error of a file says; it names the file."""
    given = text if isinstance(text, bytes) else text.encode()
    with pytest.raises(BadDocument) as caught:
        read("f.yml", given)
    said = str(caught.value)
    assert said.startswith("f.yml")
    assert "; " in said
    assert "\n" not in said
    return said


def strays(text: str) -> dict[str, str]:
    """The remedy of every key that is unknown."""
    with pytest.raises(ApplyRefused) as caught:
        read("f", text.encode())
    return {fault.field: fault.remedy for fault in caught.value.faults}


def test_all_documents_of_a_file_are_one() -> None:
    text = "services: [{name: a}]\n---\npolicies: []\nservices:\n- name: b\n---\n---\n"
    assert read("f", text.encode()) == {"services": [{"name": "a"}, {"name": "b"}], "policies": []}


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("10", 10), ("-1", -1), ("0", 0), ("1.5", 1.5), ("true", True), ("false", False),
        ("null", None), ("~", None), ("10M", "10M"), ("'10'", "10"), ("1.5Gbps", "1.5Gbps"),
    ],
)  # fmt: skip
def test_plain_values(written: str, meant: object) -> None:
    assert values(written) == [meant]
    assert type(values(written)[0]) is type(meant)


@pytest.mark.parametrize(
    "written",
    ["010", "0o10", "0x1F", "0b1", "1_000", "1:30", "+5", "1e3", ".5", "yes", "no", "on", "off",
     "y", "True", "NO", "Null", "2026-01-01", ".inf", ".nan", "="],
)  # fmt: skip
def test_what_yaml_would_take_for_something_else_is_text(written: str) -> None:
    assert values(written) == [written]


def test_anchors_and_merging_are_taken() -> None:
    text = "policies:\n- &a {name: a, source: x}\n- {<<: *a, name: b}\n"
    assert read("f", text.encode())["policies"][1] == {"name": "b", "source": "x"}


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "says nothing"),
        ("---\n# nothing\n", "says nothing"),
        ("- a", "no mapping"),
        ("policies", "no mapping"),
        ("policies:", "policies is no list"),
        ("policies: {}", "policies is no list"),
        ("policies: [{name: a, name: b}]", "line 1, column 22: 'name' is given twice"),
        ("policies: []\npolicies: []", "line 2, column 1"),
        ("policies: [{name: a]", "line 1"),
        ("policies: [}", "line 1"),
        ("\tpolicies: []", "line 1"),
        ("policies: [*x]", "undefined alias"),
        ("policies: [!!python/object/apply:os.system [ls]]", "python/object"),
        ("policies: [!mine 1]", "!mine"),
        ("policies: [!!binary aGk=]", "remove its tag"),
        ("policies: [!!float .nan]", "remove its tag"),
        ("policies: [{1: 2}]", "1 is no text"),
        ("policies: [{? [a] : 2}]", "line 1"),
        ("policies: &a [*a]", "too deep"),
        ("policies: " + "[" * 30 + "]" * 30, "too deep"),
        ("policies: " + "[" * 5000, "nested too deep"),
        ("policies: [" + "9" * 5000 + "]", "digits"),
        (b"policies: [\xff]", "UTF-8"),
        (b"\x00", "UTF-8"),
    ],
)
def test_what_cannot_be_read(text: str | bytes, said: str) -> None:
    assert said in refused(text)


def test_a_small_file_that_stands_for_a_large_one() -> None:
    lines = ["policies:", "- &a0 [x, x]"]
    lines += [f"- &a{n} [*a{n - 1}, *a{n - 1}]" for n in range(1, 19)]
    assert "too large" in refused("\n".join(lines))


def test_merges_that_double_with_each_other_end_early() -> None:
    merged = "\n".join(f"- &a{n}\n  <<: [*a{n - 1}, *a{n - 1}]" for n in range(1, 40))
    text = f"services:\n- &a0 {{name: web, port: 80}}\n{merged}"
    assert "more than 10000 keys are merged" in refused(text)


def test_unknown_keys_are_told_with_what_may_be_meant() -> None:
    text = """
        policy: []
        services:
        - {name: a, vpi: 10.0.0.1, health: {knid: tcp}, extra_ports: [{port: 1, to: 2}]}
        policies:
        - {name: a, max_bits: 1, qos_class: bulk}
        - {name: b, guarantee_bps: 1, zebra: 1}
        link_rates: [{switch: br0, port: a, rate: 1G}]
    """
    found = strays(text)
    assert found["policy"] == "write policies"
    assert found["services[0].vpi"] == "write vip"
    assert found["services[0].health.knid"] == "write kind"
    assert found["services[0].extra_ports[0].to"].startswith("use one of port, target")
    assert found["policies[0].qos_class"] == "write class"
    assert found["policies[1].guarantee_bps"] == "write guaranteed_bps"
    assert "max_pps" in found["policies[1].zebra"]
    assert found["link_rates[0].rate"].startswith("use one of")
    assert len(found) == 9
