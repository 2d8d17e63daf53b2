"""Documents of intent: read, checked and applied as one change."""
