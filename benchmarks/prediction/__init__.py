"""Parts about forecasts and what is done by them, on recorded and made-up loads."""
