"""The web page in a real browser, on a real REST server with a fabric of many services."""
