"""Trained transformers and convolutions as graph networks with the same outputs.

The parts of a transformer are here by other names: a sequence is a graph of tokens, an attention mask is who hears whom, padding
is no node, a KV cache is what senders said before.
"""

from graphattn.blocks.cache import Cache
from graphattn.convert.bert import BERT
from graphattn.convert.gpt2 import GPT2
from graphattn.convert.masks import unpadded
from graphattn.convert.modules import from_torch
from graphattn.convert.tokens import token_graphs
from graphattn.convert.transformers_models import from_transformers
from graphattn.convert.vit import ViTEncoder, patch_graphs

__all__ = [
    "BERT",
    "GPT2",
    "Cache",
    "ViTEncoder",
    "from_torch",
    "from_transformers",
    "patch_graphs",
    "token_graphs",
    "unpadded",
]
