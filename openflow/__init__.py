"""OpenFlow as plain values: fields, actions, flows, groups, meters, tables, cookies, text.

Floor 0: this package imports nothing of prewire's and does no input or output. Whoever wants a
switch to hold something describes it here; `ryu_apps` alone turns the values into messages.
"""
