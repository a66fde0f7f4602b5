import pytest
import torch
from torch_geometric.data import Batch, Data
from torch_geometric.loader import DataLoader

from graphattn.data.molecules.smiles import parse_smiles, to_data
from graphattn.models import MoleculeTransformer
from graphattn.models.by_name.features import (
    CategoryEncoder,
    FeatureColumns,
    Features,
    NodeEncoder,
    NumberEncoder,
    encoder,
)
from graphattn.models.parts.pairs import AllPairs, EdgeEncoder, ListedPairs
from graphattn.topology import Full

PATH = torch.tensor([[0, 1, 1, 2], [1, 0, 2, 1]])
KINDS = torch.tensor([[0, 2], [0, 2], [1, 0], [1, 0]])


def edge_encoder(columns):
    return EdgeEncoder(None if columns is None else encoder(columns, 8), 8)


def path(**more):
    return Data(x=torch.zeros(3, 1), edge_index=PATH, **more)


@pytest.mark.parametrize(
    ("features", "columns"),
    [
        ([torch.randn(2, 3), torch.randn(0, 3)], FeatureColumns(3, ())),
        ([torch.randn(4)], FeatureColumns(1, ())),
        ([torch.tensor([[0, 4]]), torch.tensor([[2, 1]])], FeatureColumns(0, (3, 5))),
        ([torch.tensor([True, False])], FeatureColumns(0, (2,))),
        ([torch.zeros(0, 2, dtype=torch.long)], FeatureColumns(0, (1, 1))),
    ],
)
def test_columns_are_read_from_all_graphs(features, columns):
    assert FeatureColumns.of(features)[:2] == columns[:2]


@pytest.mark.parametrize(
    ("features", "words"),
    [
        ([torch.zeros(1, 2), torch.zeros(1, 3)], "got 2 numbers and 3 numbers"),
        ([torch.zeros(1, 2), torch.zeros(1, 2).long()], "got 2 categories and 2 numbers"),
        ([torch.tensor([[-1]])], "categories of 0 or more, got -1"),
        (
            [torch.tensor([[3, 10_000_000]]), torch.tensor([[999, 0]])],
            "at most 1,000 categories in a column of integers, got values up to 10,000,000 in column 1: as",
        ),
        (
            [torch.tensor([[1000]])],
            "at most 1,000 categories in a column of integers, got values up to 1,000 in column 0",
        ),
        ([], "got no graph"),
    ],
)
def test_columns_that_do_not_fit_are_refused(features, words):
    with pytest.raises(ValueError, match=words):
        FeatureColumns.of(features)


def test_features_are_those_that_all_graphs_have():
    def problem(*graphs):
        return [Data(edge_index=PATH, **each) for each in graphs]

    x, far = torch.zeros(3, 2), torch.tensor([[0.0, 0], [0, 0], [3, 0]])
    bare, told = {"x": x}, {"x": x, "edge_attr": KINDS, "pos": far}
    still = FeatureColumns(2, (), (0.0, 0.0), (1.0, 1.0))
    assert Features.of(problem(bare, told)) == Features(still)
    assert Features.of(problem(told, told)) == Features(still, FeatureColumns(0, (2, 3)), 2, pytest.approx(1.0))
    assert Features.of(problem({"x": x, "pos": x}, {"x": x, "pos": x})).extent == 1


def test_places_count_from_the_middle_of_the_graph():
    encode = NodeEncoder(Features(FeatureColumns(1, ()), places=2, extent=2.0), 4)
    data = path(pos=torch.tensor([[0.0, 0], [0, 0], [3, 0]]))
    apart = torch.tensor([[-0.5, 0], [-0.5, 0], [1, 0]])
    assert encode(data).allclose(encode.start(data.x) + encode.place.map(apart))


def test_numbers_are_standardised_by_column():
    rows = torch.tensor([[1000.0, 5.0], [3000.0, 5.0]])
    columns = FeatureColumns.of([rows[:1], rows[1:]])
    assert columns == FeatureColumns(2, (), (2000.0, 5.0), (1000.0, 1.0))
    encode = NumberEncoder(columns, 4)
    assert encode(rows).allclose(encode.map(torch.tensor([[-1.0, 0.0], [1.0, 0.0]])))
    again = NumberEncoder(FeatureColumns(2, ()), 4)
    again.load_state_dict(encode.state_dict())
    assert again(rows).equal(encode(rows)), "weights that were saved know the numbers they were made for"


def test_numbers_are_mapped_and_categories_looked_up():
    assert isinstance(encoder(FeatureColumns(3, ()), 4), NumberEncoder)
    assert encoder(FeatureColumns(3, ()), 4)(torch.zeros(2, 3, dtype=torch.float64)).dtype == torch.float32
    known = encoder(FeatureColumns(0, (2, 3)), 4)
    assert isinstance(known, CategoryEncoder)
    table = known.embedding.table
    assert known(torch.tensor([[1, 2]])).allclose(table[1] + table[3 + 2])
    assert known(torch.tensor([[7, 0]])).allclose(table[2] + table[3 + 0]), "what is unknown is a category of its own"


@pytest.mark.parametrize(
    ("more", "columns", "rows", "kind"),
    [
        ({"edge_attr": KINDS}, FeatureColumns.of([KINDS]), 2, [0, 0, 1, 1]),
        ({"edge_attr": torch.randn(4, 3)}, FeatureColumns(3, ()), 4, [0, 1, 2, 3]),
        ({"edge_attr": torch.randn(4)}, FeatureColumns(1, ()), 4, [0, 1, 2, 3]),
        ({"edge_attr": torch.ones(4, 30).long()}, FeatureColumns(0, (5,) * 30), 4, [0, 1, 2, 3]),
        ({}, None, 1, [0, 0, 0, 0]),
    ],
)
def test_edges_are_of_kinds(more, columns, rows, kind):
    found = edge_encoder(columns)(path(**more))
    assert (list(found.rows.shape), found.kind.tolist()) == ([rows, 8], kind)


def test_pairs_are_edges_or_so_far_apart():
    data = path(edge_attr=KINDS, distance=torch.tensor([0, 1, 2, 1, 0, 1, 2, 1, 0]))
    state = AllPairs(edge_encoder(FeatureColumns.of([KINDS])), 8)(data, Full([3]))
    assert state["pair"].shape == (24, 8)
    assert state["pair_kind"].view(3, 3).tolist() == [[0, 22, 2], [22, 0, 23], [2, 23, 0]]
    assert state["bond_number"].tolist() == [1, 3, 5, 7]
    assert state["bond_kind"].tolist() == [0, 0, 1, 1]


def test_pairs_of_a_batch_are_those_of_its_graphs():
    data = path(edge_attr=KINDS, distance=torch.tensor([0, 1, 2, 1, 0, 1, 2, 1, 0]))
    encode = AllPairs(edge_encoder(FeatureColumns.of([KINDS])), 8)
    batch = Batch.from_data_list([data, data])
    alone, both = encode(data, Full([3])), encode(batch, Full(batch))
    assert both["pair_kind"].equal(alone["pair_kind"].repeat(2))
    assert both["bond_number"].tolist() == [1, 3, 5, 7, 10, 12, 14, 16]


def test_pairs_of_molecules_are_those_of_the_molecule_transformer():
    molecules = [to_data(parse_smiles(smiles)) for smiles in ("CC(=O)Oc1ccccc1", "C", "CCO.[Na+]")]
    (batch,) = DataLoader(molecules, batch_size=3)
    graph = Full(batch)
    ours = AllPairs(edge_encoder(Features.of(molecules).edges), 8)(batch, graph)
    theirs = MoleculeTransformer(outputs=1, channels=8).edges(batch, graph)
    assert {name: list(value.shape) for name, value in ours.items()} == {
        name: list(value.shape) for name, value in theirs.items()
    }
    for name in ("pair_kind", "bond_kind", "bond_number"):
        assert ours[name].equal(theirs[name])


def test_pairs_without_a_distance_are_refused():
    with pytest.raises(
        ValueError, match=r"graphs with the distances of all pairs as distance, got \['edge_index', 'x'\]"
    ):
        AllPairs(edge_encoder(None), 8)(path(), Full([3]))


def test_on_a_list_of_edges_only_those_of_the_data_say_something():
    state = ListedPairs(edge_encoder(None))(path(), Full([3]))
    assert state["pair_number"].tolist() == state["bond_number"].tolist() == [0, 1, 2, 3]


def test_missing_numbers_are_the_mean_and_flagged():
    nan = torch.nan
    rows = torch.tensor([[1.0, 4.0, nan], [3.0, nan, nan], [nan, 8.0, nan]])
    columns = FeatureColumns.of([rows[:1], rows[1:]])
    assert columns == FeatureColumns(3, (), (2.0, 6.0, 0.0), (1.0, 2.0, 1.0), (0, 1, 2))
    encode = NumberEncoder(columns, 4)
    given = torch.tensor([[-1.0, -1, 0, 0, 0, 1], [1.0, 0, 0, 0, 1, 1], [0.0, 1, 0, 1, 0, 1]])
    assert encode(rows).allclose(encode.map(given))
    never = NumberEncoder(FeatureColumns(1, (), (5.0,), (2.0,)), 4)
    assert never(torch.tensor([[nan]])).equal(never(torch.tensor([[5.0]])))


def test_gaps_are_those_of_the_training_part():
    graphs = [Data(x=torch.tensor([[1.0, 2.0]])), Data(x=torch.tensor([[torch.nan, 4.0]]))]
    features = Features.of(graphs)
    assert features.nodes.missing == (0,)
    assert features.standardised(graphs[:1]).nodes == FeatureColumns(2, (), (1.0, 2.0), (1.0, 1.0))
