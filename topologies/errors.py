"""The errors of this room: a network that cannot be described, and one that cannot be built."""


class NetworkError(Exception):
    """A network could not be built, used or removed; the text says what to do about it."""


class SpecError(ValueError):
    """A network value that cannot be built; the text names the field and the remedy."""
