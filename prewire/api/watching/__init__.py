"""Watches: changes of what REST lists, as server-sent events."""
