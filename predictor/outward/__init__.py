"""Plans and prewarm requests, to those who start containers."""
