"""`prewire doctor`: what has no effect or is wrong, found by looking at the system itself."""
