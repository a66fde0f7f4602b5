"""A network small enough for tests, and graphs of a few molecules with labels."""

import pytest
import torch
from torch import nn

from graphattn.data.molecules.smiles import atom_sizes, parse_smiles, to_data
from graphattn.training.folder import build

SMILES = ["CCO", "C", "c1ccccc1", "CC(=O)O", "CCN", "[Na+].[Cl-]", "CCCCCC", "C1CCCCC1O", "CC(C)Cl", "OCCO"]
SMILES += ["c1ccncc1C", "CCS"]


class Tiny(nn.Module):
    """Embedded atoms, averaged per molecule; the signature of graphattn's molecule models."""

    def __init__(self, outputs: int, descriptors: int = 0, channels: int = 8, dropout: float = 0.2) -> None:
        super().__init__()
        self.embeddings = nn.ModuleList([nn.Embedding(size, channels) for size in atom_sizes()])
        self.walk = nn.Linear(16, channels)
        self.dropout = nn.Dropout(dropout)
        self.readout = nn.Linear(channels + descriptors, outputs)

    def forward(self, data):
        atoms = sum(embed(data.x[:, i]) for i, embed in enumerate(self.embeddings)) + self.walk(data.random_walk)
        pooled = torch.zeros(data.num_graphs, atoms.size(1)).index_add(0, data.batch, self.dropout(atoms.relu()))
        pooled = pooled / data.ptr.diff().unsqueeze(1)
        return self.readout(torch.cat([pooled, data.descriptors], 1) if "descriptors" in data else pooled)


@pytest.fixture
def tiny(monkeypatch):
    """The architecture of the small network, known to `build` for the time of a test."""
    monkeypatch.setitem(build.MODELS, "Tiny", Tiny)
    return {"name": "Tiny", "channels": 8}


@pytest.fixture
def make_graphs():
    """Molecules over and over; the first label is 1 where there is an oxygen, the next for nitrogen and sulfur."""

    def make(count=24, targets=1, descriptors=0):
        generator = torch.Generator().manual_seed(0)
        graphs = []
        for i in range(count):
            smiles = SMILES[i % len(SMILES)]
            graph = to_data(parse_smiles(smiles))
            graph.y = torch.tensor([[float("ONS"[t] in smiles) for t in range(targets)]])
            if descriptors:
                graph.descriptors = torch.randn(1, descriptors, generator=generator) * 10 + 3
            graphs.append(graph)
        return graphs

    return make
