"""The composition root: settings, processes, the assembled REST server, the command line.

Floor 3: imports every room; no room imports it.
"""

import sys

__version__ = "0.1.0"

# The OVSDB library imports eventlet wherever it is installed: half a second that no process of ours
# has use for. (Classic Ryu's manager imports it before, and keeps it.)
sys.modules.setdefault("eventlet", None)  # type: ignore[arg-type]
