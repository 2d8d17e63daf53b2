"""What goes on now: the controllers' counters as rates, for the REST server's readers."""
