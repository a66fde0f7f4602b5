"""Verdict: intervals and tests over resamplings, findings, and the sentences that state them."""
