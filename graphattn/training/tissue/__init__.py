"""Tissue graphs to trained, tested and saved models, and models to predictions: what the commands do."""
