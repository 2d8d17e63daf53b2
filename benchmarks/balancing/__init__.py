"""Parts about balancing: what passes a VIP, how fast, and to whom."""
