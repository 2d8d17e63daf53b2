"""A bundle for support: what is known of an installation in one file, without its secrets."""
