"""REST: scaling, provisioning, schedules, overrides, dependencies, plans, prewarm requests."""
