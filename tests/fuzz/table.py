"""All targets by name. Modules are imported only when one of theirs is asked for."""

from __future__ import annotations

import importlib
from typing import Final

from tests.fuzz.target import Target

# By module, the names of its targets.
_MODULES: Final = {
    "tests.fuzz.of_switches": (
        "openflow-messages",
        "openflow-entries",
        "link-probes",
        "packets",
        "switch-database",
    ),
    "tests.fuzz.of_texts": (
        "openflow-text",
        "packet-text",
        "dumps",
        "metrics-page",
        "agent-check",
        "short-texts",
        "schedules",
    ),
    "tests.fuzz.of_documents": (
        "yaml",
        "commands-file",
        "csv",
        "settings",
        "request-bodies",
        "kept-state",
    ),
    "tests.fuzz.of_answers": (
        "prometheus-answers",
        "key-sets",
        "tokens",
        "probe-answers",
        "json-of-others",
        "ovsdb-messages",
        "grpc-requests",
    ),
}
# What of ours, and of what we parse with, shows by its branches that an input is new.
INSTRUMENTED: Final = {
    "tests.fuzz.of_switches": ("nib", "openflow", "ryu_apps"),
    "tests.fuzz.of_texts": ("cronsim", "gateway_lb", "nib", "openflow", "predictor", "prewire"),
    "tests.fuzz.of_documents": ("predictor", "prewire", "tomllib", "yaml"),
    "tests.fuzz.of_answers": (
        *("gateway_lb", "h11", "h2", "hpack", "hyperframe", "jwt", "nib", "predictor", "prewire"),
    ),
}
NAMES: Final = tuple(name for names in _MODULES.values() for name in names)


def module_of(name: str) -> str:
    """The module that has this target. KeyError where there is none."""
    found = {each: module for module, names in _MODULES.items() for each in names}
    return found[name]


def target(name: str) -> Target:
    """The target of this name. KeyError where there is none."""
    found: dict[str, Target] = {
        each.name: each for each in importlib.import_module(module_of(name)).TARGETS
    }
    return found[name]
