"""What parts found, as tables, JSON, a page and pictures; and the machine it was found on."""
