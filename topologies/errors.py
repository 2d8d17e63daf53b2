"""The one error this room raises while it builds or removes a network."""


class NetworkError(Exception):
    """A network could not be built, used or removed; the text says what to do about it."""
