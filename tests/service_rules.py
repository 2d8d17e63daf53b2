"""All that one switch holds of a service: its own rules, and those of its containers."""

from __future__ import annotations

from collections.abc import Sequence

from gateway_lb.endpoints import Placed, container_rules
from gateway_lb.pipeline import is_capped, service_rules
from nib.intent import Service
from openflow.values import Rules, merged


def whole_service(
    service: Service, placed: Sequence[Placed], slots: Sequence[int], zone: int
) -> Rules:
    """As the controller composes it; the rules of addresses are not among it."""
    capped = is_capped(service, [each.container for each in placed])
    own = service_rules(service, slots, zone, admitted=capped)
    return merged((own, *(container_rules(service, each, zone) for each in placed)))
