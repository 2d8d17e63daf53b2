"""Balances a service's traffic over its containers: slot tables, flows and groups, REST routes.

Floor 1: imports `openflow` and `nib`. It returns values; `ryu_apps` sends them.
"""
