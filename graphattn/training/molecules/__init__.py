"""Training of molecule models: the whole command, ensembles, predictions, saved models, and forests beside them."""
