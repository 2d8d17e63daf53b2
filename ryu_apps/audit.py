"""What a read-back says against what is wanted: missing and alien rules, as lines of text."""

from __future__ import annotations

from nib.records import MAX_AUDIT_LINES, Audit
from openflow.text import flow_text, group_text
from ryu_apps.diff import Desired, Installed, alien_flows, diff


def findings(
    switch: str, request: int, desired: Desired, installed: Installed, foreign: list[str]
) -> Audit:
    """The audit's row. foreign: what the switch holds that prewire cannot express.

    The counts are complete; of the lines the first MAX_AUDIT_LINES are kept, missing ones first.
    """
    changes = diff(desired, installed)
    missing = [flow_text(flow) for flow in changes.put_flows]
    missing += [group_text(group) for group in (*changes.add_groups, *changes.modify_groups)]
    alien = [flow_text(flow) for flow in alien_flows(desired, installed)]
    alien += [
        group_text(group)
        for number, group in installed.groups.items()
        if number not in desired.groups
    ]
    alien += foreign
    lines = [f"missing {text}" for text in missing] + [f"alien {text}" for text in alien]
    kept = frozenset(line[:1000] for line in lines[:MAX_AUDIT_LINES])
    return Audit(switch, request, request, len(missing), len(alien), kept)
