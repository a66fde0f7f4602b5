"""Training: :class:`Recipe` says how, :func:`fit` does it for any graphs, :func:`fit_molecules` for ensembles on molecules."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
