"""Commands and routes of the predictor: scaling, plans, forecasts, back-tests and replays."""
