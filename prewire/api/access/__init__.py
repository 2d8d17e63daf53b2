"""Who asks the REST server, and what they may do."""
