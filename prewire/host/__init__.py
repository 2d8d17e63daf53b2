"""The node agent: what only the host of switches can do and see."""
