"""The state database: schema, typed records, transactions, watches, and an embedded server.

Import from the modules. Records and `nib.mirror` are pure; `nib.database` needs `ovs`.
"""

import warnings

# `ovs.poller` imports eventlet wherever it is installed, and eventlet announces its own end then.
warnings.filterwarnings("ignore", message=r"\s*Eventlet is deprecated")
