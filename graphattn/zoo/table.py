"""The table of named layers: what each is made of, and what it was proved equal to."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from torch import nn

from graphattn.layer import GraphLayer
from graphattn.zoo.attention import SelfAttention
from graphattn.zoo.convolution import GCN, EdgeConv


class Row(NamedTuple):
    """A named layer; ``make`` builds one of 8 channels in and out, for tests and docs."""

    name: str
    make: Callable[[], GraphLayer]
    topology: str
    paper: str
    equal_to: str


TABLE: tuple[Row, ...] = (
    Row(
        "SelfAttention",
        lambda: SelfAttention(8, heads=2),
        "Full, Edges",
        "Vaswani et al. 2017",
        "torch.nn.MultiheadAttention on Full, PyG TransformerConv on Edges",
    ),
    Row("GCN", lambda: GCN(8, 8), "Edges with self-loops", "Kipf & Welling 2017", "PyG GCNConv"),
    Row("EdgeConv", lambda: EdgeConv(nn.Linear(16, 8)), "Edges", "Wang et al. 2019", "PyG EdgeConv"),
)
