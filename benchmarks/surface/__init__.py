"""Parts about what people and programs see: the REST server and the web page."""
