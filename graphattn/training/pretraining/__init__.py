"""Pretraining on molecules without labels: descriptors, fragments and hidden atoms are what is learned."""
