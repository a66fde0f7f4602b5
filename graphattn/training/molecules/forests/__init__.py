"""Forests of decision trees on fingerprints and descriptors: fitted, kept as arrays, and beside graph networks."""
