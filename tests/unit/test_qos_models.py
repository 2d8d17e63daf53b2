"""Classes, policies and rates as REST takes them: what becomes of them, and what cannot be."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from nib.errors import FieldError
from nib.qos import LinkRate, Policy, QosClass
from qos.classes import PRESETS, TRAFFIC
from qos.models import ClassIn, LinkRateIn, PolicyIn

S1 = "00000000000000a1"


def policy(**body: Any) -> Policy:
    return PolicyIn.model_validate(body).record("p")


def class_in(**body: Any) -> ClassIn:
    return ClassIn.model_validate(body)


def test_a_policy_with_everything() -> None:
    assert policy(
        source="shop", destination="db", **{"class": "bulk"}, guaranteed_bps="10M",
        max_bps=50_000_000, max_pps=1000, max_connections=7, burst_ms=100,
    ) == Policy("p", "shop", "db", "bulk", 10_000_000, 50_000_000, 1000, 7, 100)  # fmt: skip


def test_a_plain_policy_has_the_records_defaults() -> None:
    assert policy(source="shop") == Policy("p", "shop")


@pytest.mark.parametrize(("traffic", "suited"), TRAFFIC.items())
def test_traffic_fills_class_and_burst(traffic: str, suited: tuple[str, int]) -> None:
    made = policy(source="a", traffic=traffic)
    assert (made.qos_class, made.burst_ms) == suited
    assert made.qos_class in PRESETS


def test_what_is_given_goes_before_what_suits_the_traffic() -> None:
    made = policy(source="a", traffic="sql", **{"class": "bulk"}, burst_ms=70)
    assert (made.qos_class, made.burst_ms) == ("bulk", 70)


@pytest.mark.parametrize(
    ("body", "field", "word"),
    [
        ({}, "destination", "no service"),
        ({"source": "a", "traffic": "sq"}, "traffic", "sql, key-value"),
        ({"source": "a", "class": "Gold"}, "class", "name"),
        ({"source": "A"}, "source", "name"),
        ({"source": "a", "max_bps": "10m"}, "max_bps", "10M"),
        ({"source": "a", "max_bps": "10"}, "max_bps", "unit"),
        ({"source": "a", "max_bps": 0}, "max_bps", "1k to 4T"),
        ({"source": "a", "max_bps": "10MB"}, "max_bps", "bytes"),
        ({"destination": "a", "guaranteed_bps": "2M", "max_bps": "1M"}, "guaranteed_bps", "above"),
        ({"source": "a", "max_pps": 0}, "max_pps", "range"),
        ({"source": "a", "max_connections": 5}, "max_connections", "destination"),
        ({"source": "a", "burst_ms": 9}, "burst_ms", "10 to"),
    ],
)
def test_a_policy_that_cannot_be(body: dict[str, Any], field: str, word: str) -> None:
    with pytest.raises(FieldError, match=word) as caught:
        policy(**body)
    assert caught.value.field == field


def test_what_is_left_out_of_a_built_in_class_stays() -> None:
    assert class_in(max_percent=30).record("bulk") == replace(PRESETS["bulk"], max_percent=30)
    assert class_in(dscp=34, queue=4).record("gold") == QosClass("gold", 34, 4)


@pytest.mark.parametrize(
    ("name", "body", "field"),
    [
        ("gold", {"queue": 4}, "dscp"),
        ("gold", {"dscp": 34}, "queue"),
        ("gold", {"dscp": 64, "queue": 4}, "dscp"),
        ("gold", {"dscp": 34, "queue": 16}, "queue"),
        ("gold", {"dscp": 34, "queue": 4, "min_percent": 50, "max_percent": 40}, "min_percent"),
        ("gold", {"dscp": 34, "queue": 4, "min_percent": 0}, "min_percent"),
        ("gold", {"dscp": 34, "queue": 4, "weight": 101}, "weight"),
        ("realtime", {"min_percent": 60}, "min_percent"),
        ("Gold", {}, "name"),
    ],
)
def test_a_class_that_cannot_be(name: str, body: dict[str, Any], field: str) -> None:
    with pytest.raises(FieldError) as caught:
        class_in(**body).record(name)
    assert caught.value.field == field


def test_a_rate_is_read() -> None:
    assert LinkRateIn(bps="1.5Gbps").record(S1, "veth1") == LinkRate(S1, "veth1", 1_500_000_000)
