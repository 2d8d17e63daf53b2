"""What would have been: forecasts and policies on recorded loads."""
