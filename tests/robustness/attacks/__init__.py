"""Attacks on layers by what is attacked; ``python -m tests.robustness.attacks`` runs them (:mod:`.__main__`)."""
