"""The state database: schema, typed records, transactions, watches, and an embedded server.

Import from the modules: `nib.records` and `nib.mirror` are pure; `nib.database` needs `ovs`.
"""
