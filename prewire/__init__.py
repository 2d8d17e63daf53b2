"""The composition root: settings, processes, the assembled REST server, the command line.

Floor 3: imports every room; no room imports it.
"""

__version__ = "0.1.0"
