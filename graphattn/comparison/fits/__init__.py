"""Fits: baselines and networks trained on the same parts, scored, and what they cost and learned."""
