"""The apps that make up the controller, in the order of their start."""

from typing import Final

APPS: Final = (
    "ryu_apps.reconciler",
    "ryu_apps.discovery",
    "ryu_apps.learning",
    "ryu_apps.outcomes",
    "ryu_apps.telemetry",
    "ryu_apps.punt",
)
