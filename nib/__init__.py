"""The state database: schema, typed records, transactions, watches, and an embedded server.

Import from the modules. Records and `nib.mirror` are pure; `nib.database` needs `ovs`,
`nib.committing` FastAPI: it is for the REST server's process only.
"""

import os
import warnings

# `ovs.poller` imports eventlet wherever it is installed. It announces its own end then, and loads
# a DNS resolver that nothing here uses, which is most of what a process took to start.
warnings.filterwarnings("ignore", message=r"\s*Eventlet is deprecated")
os.environ.setdefault("EVENTLET_NO_GREENDNS", "yes")
