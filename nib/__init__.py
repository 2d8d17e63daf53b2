"""The state database: schema, typed records, transactions, watches, and an embedded server.

Import from the modules. Records and `nib.mirror` are pure; `nib.database` needs `ovs`,
`nib.committing` FastAPI: it is for the REST server's process only.
"""

import warnings

# `ovs.poller` imports eventlet wherever it is installed, and eventlet announces its own end then.
warnings.filterwarnings("ignore", message=r"\s*Eventlet is deprecated")
