import pytest

from graphattn.data.molecules.chemistry import attach_fingerprints
from graphattn.data.molecules.smiles import parse_smiles
from graphattn.training.molecules.forests import fitting


@pytest.fixture
def few_trees(monkeypatch):
    """Forests of ten trees."""
    monkeypatch.setattr(fitting, "TREES", 10)


@pytest.fixture
def make_described(make_graphs):
    """Graphs with fingerprints, whose last third is for validation."""

    def make(count=36, targets=1):
        graphs = make_graphs(count, targets)
        attach_fingerprints(graphs, [parse_smiles(graph.smiles) for graph in graphs])
        return graphs[: 2 * count // 3], graphs[2 * count // 3 :]

    return make
