"""Models of tissue, whose nodes are cells, glands or patches: of slides and of each node."""

from graphattn.models.tissue.edges import EdgeFeatures
from graphattn.models.tissue.gland_graph import AttentionMIL, GlandGraph
from graphattn.models.tissue.slide_graph import SlideGraph
from graphattn.models.tissue.table import TISSUE_MODELS, TissueInputs, TissueModel
from graphattn.models.tissue.transformer import TissueTransformer

__all__ = [
    "TISSUE_MODELS",
    "AttentionMIL",
    "EdgeFeatures",
    "GlandGraph",
    "SlideGraph",
    "TissueInputs",
    "TissueModel",
    "TissueTransformer",
]
