"""The Grafana dashboards, a module each: what they show."""
