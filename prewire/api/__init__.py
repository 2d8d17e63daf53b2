"""The REST server: the rooms' routes and its own on one application."""
