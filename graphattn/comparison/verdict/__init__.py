"""Verdict: intervals and tests over resamplings, what follows from them, and how it is said."""
