"""The predictor as a process: ticks, leases of services, its metrics."""
