import pytest
import torch
from torch.nn.functional import gelu
from torch.testing import assert_close
from torch_geometric.data import Batch

from graphattn.backends import use_backend
from graphattn.data.molecules.smiles import parse_smiles, to_data
from graphattn.models import MoleculeTransformer
from graphattn.models.parts.embedding import CategoryEmbedding, kinds
from graphattn.models.parts.reading import Totals
from graphattn.topology import Full, read_sizes

SMILES = ["CC(=O)Oc1ccccc1C(=O)O", "C", "[Na+].[Cl-]", "c1ccc2[nH]ccc2c1", "C1CC1", "*"]
GRAPHS = [to_data(parse_smiles(smiles)) for smiles in SMILES]


@pytest.fixture
def model():
    return MoleculeTransformer(outputs=2, channels=16, heads=2, layers=2).double().eval()


def batch(graphs=GRAPHS):
    made = Batch.from_data_list([graph.clone() for graph in graphs])
    made.random_walk = made.random_walk.double()
    return made


def test_molecules_in_a_batch_equal_molecules_alone(model):
    together = model(batch())
    assert together.shape == (6, 2)
    assert_close(together, torch.cat([model(batch([graph])) for graph in GRAPHS]), rtol=1e-9, atol=1e-9)


def test_backends_agree_and_pairs_are_never_listed(model, monkeypatch):
    with use_backend("edgewise"):
        by_edges = model(batch())
    monkeypatch.setattr(Full, "edge_index", lambda self: pytest.fail("the pairs were listed"))
    assert_close(model(batch()), by_edges, rtol=1e-9, atol=1e-9)


def test_the_order_of_atoms_does_not_matter(model):
    # The same molecule, written from another end.
    other = to_data(parse_smiles("OC(=O)c1ccccc1OC(C)=O"))
    assert_close(model(batch([other])), model(batch([GRAPHS[0]])), rtol=1e-9, atol=1e-9)


def test_bonds_distances_and_walks_are_heard(model):
    truth = model(batch())
    for name, change in {
        "edge_attr": lambda bonds: bonds.index_fill(1, torch.tensor([0]), 2),
        "distance": lambda hops: (hops + 1).clamp(max=21),
        "random_walk": lambda walk: walk + 0.1,
        "x": lambda atoms: atoms.index_fill(1, torch.tensor([0]), 7),
    }.items():
        changed = batch()
        changed[name] = change(changed[name])
        assert not torch.allclose(model(changed)[0], truth[0])


def test_every_parameter_learns(model):
    model.train()
    model(batch()).sin().sum().backward()
    silent = [
        name for name, parameter in model.named_parameters() if parameter.grad is None or not parameter.grad.any()
    ]
    # A bias of keys moves all scores of a receiver alike.
    assert [name for name in silent if not name.endswith("key.bias")] == []


def test_totals_count_what_means_do_not():
    readout = Totals(3, 5).double()
    sizes = read_sizes([2, 0, 4])
    x = torch.randn(2, 3, dtype=torch.float64)
    read = readout(torch.cat([x, x, x]), sizes)
    assert_close(read[0], gelu(readout.each(x)).sum(0) / 16)
    assert_close(read[1], torch.zeros(5, dtype=torch.float64))
    assert_close(read[2], 2 * read[0])


def test_totals_join_the_hubs_and_a_molecule_alone_equals_one_in_a_batch():
    torch.manual_seed(0)
    model = MoleculeTransformer(outputs=2, channels=16, heads=2, layers=1, totals=6).double().eval()
    read = model.embed(batch())
    assert read.shape == (6, 2 * 16 + 6)
    assert_close(model(batch()), torch.cat([model(batch([graph])) for graph in GRAPHS]), rtol=1e-9, atol=1e-9)
    one, two = (model.embed(batch([to_data(parse_smiles(text))])) for text in ("C", "C.C"))
    assert not torch.allclose(one[:, 32:], two[:, 32:])


def test_descriptors_join_at_the_readout():
    model = MoleculeTransformer(outputs=1, channels=16, heads=2, layers=1, descriptors=3).double().eval()
    given = batch()
    given.descriptors = torch.randn(6, 3, dtype=torch.float64)
    out = model(given)
    given.descriptors[0] += 1
    changed = model(given)
    assert not torch.allclose(out[0], changed[0])
    assert torch.equal(out[1:], changed[1:])
    with pytest.raises(ValueError, match="expected molecules with descriptors, got none"):
        model(batch())


def test_descriptors_nobody_asked_for_are_refused(model):
    given = batch()
    given.descriptors = torch.randn(6, 3)
    with pytest.raises(ValueError, match=r"expected molecules with no descriptors, got \[6, 3\]"):
        model(given)


def test_sizes_of_features_can_be_given():
    model = MoleculeTransformer(outputs=1, channels=8, heads=1, layers=1, atom_sizes=(3, 4), bond_sizes=(2,))
    assert model.embedding.categories.table.shape == (7, 8)
    assert model.edges.edges.encoder.table.shape == (2, 8)


def test_a_category_embedding_is_a_sum_over_columns():
    embedding = CategoryEmbedding((3, 2), 4)
    rows = embedding(torch.tensor([[2, 1], [0, 0]]))
    assert_close(rows, torch.stack([embedding.table[2] + embedding.table[4], embedding.table[0] + embedding.table[3]]))


def test_kinds_are_the_different_rows():
    categories = torch.randint(0, 3, (40, 3))
    rows, kind = kinds(categories, (3, 3, 3))
    assert torch.equal(rows[kind], categories)
    assert len(rows) == len(categories.unique(dim=0))
