"""Whatever the text form writes, it reads back to an equal value."""

from __future__ import annotations

from typing import get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from openflow.packet import Packet, packet_text, parse_packet
from openflow.parse import (
    parse_flow,
    parse_group,
    parse_match,
    parse_meter,
    parse_rules,
)
from openflow.parse_actions import parse_actions
from openflow.text import (
    Dialect,
    actions_text,
    flow_text,
    group_text,
    match_text,
    meter_text,
    rules_text,
)
from openflow.values import Flow, Group, Meter, Rules
from tests.nib_strategies import examples
from tests.strategies import flows, groups, meters, packets, rules

DIALECTS: tuple[Dialect, ...] = get_args(Dialect)
dialects = st.sampled_from(DIALECTS)


@given(flow=flows(), dialect=dialects)
def test_flow(flow: Flow, dialect: Dialect) -> None:
    text = flow_text(flow, dialect)
    read = parse_flow(text)
    assert read == flow
    assert flow_text(read, dialect) == text
    assert read.origin == (flow.origin if dialect == "named" else "")
    assert parse_match(match_text(flow.match, dialect)) == flow.match
    assert parse_actions(actions_text(flow.actions, dialect)) == flow.actions


@given(group=groups(), dialect=dialects)
def test_group(group: Group, dialect: Dialect) -> None:
    assert parse_group(group_text(group, dialect)) == group


@given(meter=meters(), dialect=dialects)
def test_meter(meter: Meter, dialect: Dialect) -> None:
    assert parse_meter(meter_text(meter, dialect)) == meter


@given(given_rules=rules(), dialect=dialects)
@examples(0.4)
def test_rules(given_rules: Rules, dialect: Dialect) -> None:
    text = rules_text(given_rules, dialect)
    read = parse_rules(text)
    assert rules_text(read, dialect) == text
    assert set(read.groups) == set(given_rules.groups)
    assert set(read.meters) == set(given_rules.meters)
    assert set(read.flows) == set(given_rules.flows)


@given(given_packet=packets())
def test_packet(given_packet: Packet) -> None:
    assert parse_packet(packet_text(given_packet)) == given_packet


@given(st.text(max_size=40))
def test_any_other_text_is_a_value_error(text: str) -> None:
    for read in (parse_flow, parse_group, parse_meter, parse_match, parse_actions, parse_packet):
        try:
            read(text)
        except ValueError:
            continue
        except Exception as error:
            pytest.fail(f"{read.__name__}({text!r}) raised {error!r}")
