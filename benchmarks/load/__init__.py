"""What offers load, and the containers that answer it."""
