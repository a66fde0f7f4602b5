"""Sums and products over the edges of a graph in torch's own operators, for machines on which no kernel can be compiled."""
