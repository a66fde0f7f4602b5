"""How far a prediction can be relied on: calibrated probabilities, prediction sets, thresholds, nearest training molecules."""
