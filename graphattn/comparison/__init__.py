"""Attention or a GCN? Layers and graphs compared on the same data, fairly: :func:`compare`."""
