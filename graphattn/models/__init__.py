"""Models: stacks of blocks with an embedding and a readout, one file each.

All take a PyG ``Data`` or ``Batch``, so that graphs of unequal size are a batch and nothing is padded.
"""

from graphattn.models.conv_net import ConvNet
from graphattn.models.decoder import Decoder
from graphattn.models.encoder import Encoder
from graphattn.models.generating import Anew, Joining, Nucleus, Sample, TopK, generate, likeliest, token_batch
from graphattn.models.mixer_net import MixerNet
from graphattn.models.molecule import MoleculeTransformer
from graphattn.models.network import GraphOf, Network, of_edges
from graphattn.models.parts.embedding import FeatureEmbedding, TokenEmbedding
from graphattn.models.parts.positional import (
    NOWHERE,
    Positional,
    alibi,
    axial_rotary,
    grid_bias,
    grid_sinusoids,
    learned,
    relative,
    rotary,
    sinusoids,
    t5,
)
from graphattn.models.parts.reading import AllPlaces, EachNode, FirstNode, GatedAttention, Hub, LastNode, MeanOfNodes
from graphattn.models.parts.trunk import Transformer, Trunk
from graphattn.models.perceiver_net import PerceiverNet
from graphattn.models.recurrent import Recurrent
from graphattn.models.searching import (
    AnswersAnew,
    AnswersOf,
    AnswerWriter,
    JoiningAnswers,
    beam_search,
    greedy_search,
    source_batch,
)
from graphattn.models.seq2seq import Answers, Seq2Seq
from graphattn.models.tissue import (
    TISSUE_MODELS,
    AttentionMIL,
    EdgeFeatures,
    GlandGraph,
    SlideGraph,
    TissueInputs,
    TissueTransformer,
)
from graphattn.models.vit import ViT

__all__ = [
    "NOWHERE",
    "TISSUE_MODELS",
    "AllPlaces",
    "Anew",
    "AnswerWriter",
    "Answers",
    "AnswersAnew",
    "AnswersOf",
    "AttentionMIL",
    "ConvNet",
    "Decoder",
    "EachNode",
    "EdgeFeatures",
    "Encoder",
    "FeatureEmbedding",
    "FirstNode",
    "GatedAttention",
    "GlandGraph",
    "GraphOf",
    "Hub",
    "Joining",
    "JoiningAnswers",
    "LastNode",
    "MeanOfNodes",
    "MixerNet",
    "MoleculeTransformer",
    "Network",
    "Nucleus",
    "PerceiverNet",
    "Positional",
    "Recurrent",
    "Sample",
    "Seq2Seq",
    "SlideGraph",
    "TissueInputs",
    "TissueTransformer",
    "TokenEmbedding",
    "TopK",
    "Transformer",
    "Trunk",
    "ViT",
    "alibi",
    "axial_rotary",
    "beam_search",
    "generate",
    "greedy_search",
    "grid_bias",
    "grid_sinusoids",
    "learned",
    "likeliest",
    "of_edges",
    "relative",
    "rotary",
    "sinusoids",
    "source_batch",
    "t5",
    "token_batch",
]
