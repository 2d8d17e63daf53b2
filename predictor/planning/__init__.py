"""From forecasts to containers and rates."""
