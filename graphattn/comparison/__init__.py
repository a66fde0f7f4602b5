"""Attention or a GCN? Layers on graphs, compared on the same data under the same rules: :func:`compare`."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
