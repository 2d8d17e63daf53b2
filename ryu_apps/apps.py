"""The apps that make up the controller, in the order of their start.

The reconciler comes last: with it the controller stands for election, and then all are ready.
"""

from typing import Final

APPS: Final = (
    "ryu_apps.discovery",
    "ryu_apps.learning",
    "ryu_apps.outcomes",
    "ryu_apps.telemetry",
    "ryu_apps.punt",
    "ryu_apps.reconciler",
)
