"""Parts about quality of service: limits, guarantees, and changing them."""
