"""Molecules: what atoms, bonds and fragments contribute to a prediction, as numbers and as drawings."""
