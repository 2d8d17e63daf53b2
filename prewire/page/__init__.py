"""The web page: static files that REST serves as they are; no build step, no other server.

Must not know: anything but REST, which `data/` alone talks to.
"""
