"""Tissue: files of cells and patches, of whatever program found them, as sparse graphs in micrometres.

::

    from graphattn.data import tissue

    graphs = [tissue.knn(graph, 8) for graph in tissue.read("cells.geojson", mpp=0.25)]
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
