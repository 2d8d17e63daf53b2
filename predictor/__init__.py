"""Load series, forecasts, dependencies, plans, prewarm requests. Floor 1: imports `nib` only."""
