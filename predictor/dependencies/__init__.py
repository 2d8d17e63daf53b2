"""Which service's rise precedes another's."""
