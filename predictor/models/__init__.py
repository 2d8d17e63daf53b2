"""What the load will be: models, selection, calibration, guards."""
