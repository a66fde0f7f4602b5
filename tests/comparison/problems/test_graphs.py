"""Lists of PyG graphs and PyG datasets as problems: what is read, what is set aside, what is refused."""

import copy
import re

import pytest
import torch
from torch_geometric.data import Batch, Data, HeteroData, InMemoryDataset

from graphattn.comparison.problems import problem

NAN, INF = float("nan"), float("inf")
RING = torch.tensor([[0, 1, 1, 2, 2, 0], [1, 0, 2, 1, 0, 2]])


def ring(answer, **changes):
    values = {
        "x": torch.rand(3, 4),
        "edge_index": RING,
        "y": None if answer is None else torch.as_tensor(answer).view(-1),
    }
    return Data(**{name: value for name, value in (values | changes).items() if value is not None})


def rings(answers=(0, 1, 1, 0, 1, 0)):
    return [ring(y) for y in answers]


def test_labels_become_numbers_of_classes():
    found = problem(rings((7, -1, 7, 3)))
    assert (found.name, found.target, found.classes, found.level) == ("graphs", "multiclass", ("-1", "3", "7"), "graph")
    assert found.labels().tolist() == [2, 0, 2, 1]
    assert found.graphs[0].y.dtype == torch.long
    assert found.notes == ()


@pytest.mark.parametrize(
    ("answers", "task", "target", "labels"),
    [
        ((True, False), None, "binary", [1, 0]),
        ((1.0, 0.0), None, "binary", [1, 0]),
        ((1.5, 0.0), None, "regression", [1.5, 0]),
        ((1.0, 2.0, 3.0), None, "regression", [1, 2, 3]),
        ((1.0, 2.0, 3.0), "multiclass", "multiclass", [0, 1, 2]),
        ((4, 2, 3), "regression", "regression", [4, 2, 3]),
        ((4, 2), "multiclass", "multiclass", [1, 0]),
    ],
)
def test_what_is_asked_is_seen_from_the_answers_or_told(answers, task, target, labels):
    found = problem(rings(answers), task=task)
    assert (found.target, found.labels().tolist()) == (target, labels)


def test_answers_may_be_numbers_of_python_and_tables():
    graphs = [ring(None, y=1), ring(None, y=torch.tensor([[0]])), ring(None, y=torch.tensor(1))]
    assert problem(graphs).labels().tolist() == [1, 0, 1]
    several = [ring(None, y=torch.tensor([[0.5, k + 0.5]])) for k in range(3)]
    assert problem(several, target=1).labels().tolist() == [0.5, 1.5, 2.5]
    flat = [ring(None, y=torch.tensor([0.5, k + 0.5])) for k in range(3)]
    assert problem(flat, target=1).labels().tolist() == [0.5, 1.5, 2.5]


def test_graphs_are_copied_and_hold_nothing_that_layers_do_not_hear():
    edges = torch.tensor([[0, 1, 1], [1, 0, 1]])
    more = {
        "edge_attr": torch.tensor([1, 2, 3]),
        "pos": torch.tensor([[0], [-1]]),
        "true_edge": torch.tensor([True, False, True]),
    }
    graphs = [Data(x=torch.ones(2, dtype=torch.float64), edge_index=edges, y=k, name="a", **more) for k in (0, 1)]
    before = copy.deepcopy(graphs)
    first = problem(graphs).graphs[0]
    assert sorted(first.keys()) == ["edge_attr", "edge_index", "pos", "true_edge", "x", "y"]
    assert first.x.tolist() == [[1.0], [1.0]]
    assert first.x.dtype == first.pos.dtype == torch.float32
    assert first.edge_index.tolist() == [[0, 1, 1], [1, 0, 1]], "self-loops stay"
    assert first.edge_attr.tolist() == [[1], [2], [3]]
    assert first.true_edge.tolist() == [True, False, True]
    for graph, as_it_was in zip(graphs, before, strict=True):
        assert graph.to_dict().keys() == as_it_was.to_dict().keys()
        assert torch.equal(graph.edge_index, as_it_was.edge_index)


def test_what_all_graphs_lack_is_said():
    graphs = [Data(num_nodes=3, y=torch.tensor([k])) for k in (0, 1)]
    found = problem(graphs)
    assert found.notes == ("nodes have no x: each is the number 1", "graphs have no edge_index: no edges")
    assert found.graphs[0].x.tolist() == [[1.0]] * 3
    assert found.graphs[0].edge_index.shape == (2, 0)


def test_single_nodes_and_nodes_without_edges_are_fine():
    alone = Data(x=torch.rand(1, 4), edge_index=torch.zeros(2, 0, dtype=torch.long), y=torch.tensor([1]))
    found = problem([*rings(), alone])
    assert len(found.graphs) == 7
    assert found.level == "graph"
    assert found.notes == ()


BAD = {
    "expected a PyG Data, got HeteroData": HeteroData(),
    "it has neither x nor num_nodes": Data(edge_index=RING, y=torch.tensor([0])),
    "it has no nodes": ring(0, x=torch.zeros(0, 4), edge_index=torch.zeros(2, 0, dtype=torch.long)),
    "x of node 1 is -inf in feature 1": ring(0, x=torch.tensor([[0.0] * 4, [NAN, -INF, 0.0, 0.0], [0.0] * 4])),
    "x of node 0 is inf in feature 0": ring(0, x=torch.full((3, 4), INF)),
    "it has x of 5 numbers, edge_index, expected x of 4 numbers, edge_index": ring(0, x=torch.rand(3, 5)),
    "it has x of 4 categories, edge_index, expected x of 4 numbers": ring(0, x=torch.ones(3, 4, dtype=torch.long)),
    "x of node 2 is -1 in feature 0": ring(0, x=torch.tensor([0, 1, -1])),
    "expected x of 3 nodes, got float32 [2, 4]": ring(0, x=torch.rand(2, 4), num_nodes=3),
    "expected x [3, columns] of numbers, got float32 [3, 4, 1]": ring(0, x=torch.rand(3, 4, 1)),
    "expected x [3, columns] of numbers, got sparse float32 [3, 4]": ring(0, x=torch.rand(3, 4).to_sparse()),
    "Complex data not supported: expected x [3, columns] of numbers, got complex64 [3, 4]": ring(
        0, x=torch.rand(3, 4) * 1j
    ),
    "x has 0 feature(s) (shape=(3, 0)) while a minimum of 1 is required": ring(0, x=torch.rand(3, 0)),
    "expected x [3, columns] of numbers, got list": ring(0, x=[1, 2, 3], num_nodes=3),
    "it has x of 4 numbers, expected x of 4 numbers, edge_index": Data(x=torch.rand(3, 4), y=torch.tensor([0])),
    "edge_index names node 3 of 3": ring(0, edge_index=torch.tensor([[0, 3], [1, 0]])),
    "edge_index names node -1 of 3": ring(0, edge_index=torch.tensor([[0, -1], [1, 0]])),
    "expected edge_index [2, K] of int64, got float32 [2, 6]": ring(0, edge_index=RING.float()),
    "expected edge_index [2, K] of int64, got int64 [6, 2]": ring(0, edge_index=RING.T),
    "edge_attr of 2 numbers, pos in 3 dimensions, expected": ring(0, edge_attr=torch.rand(6, 2), pos=torch.rand(3, 3)),
    "expected edge_attr of 6 edges, got float32 [5, 2]": ring(0, edge_attr=torch.rand(5, 2)),
    "pos of node 0 is nan": ring(0, pos=torch.tensor([NAN, 0.0, 0.0])),
    "edge_weight of edge 4 is nan": ring(0, edge_weight=torch.tensor([1.0] * 4 + [NAN, 1.0])),
    "expected one edge_weight for each edge, got float32 [6, 2]": ring(0, edge_weight=torch.ones(6, 2)),
    "expected edge_weight of 6 edges, got float32 [5]": ring(0, edge_weight=torch.ones(5)),
    "it has no y": ring(None),
    "expected y as a tensor, got str": ring(None, y="toxic"),
    "expected numbers in y, got float32 [0]": ring(None, y=torch.zeros(0)),
    "y is float32 (0.0) where most are int64": ring(0.0),
    "expected y [1] as most graphs have it, got [3]": ring([0, 1, 0]),
    "y is -100": ring(-100),
}


@pytest.mark.filterwarnings("ignore:Sparse ")
@pytest.mark.parametrize("layout", [torch.sparse_csr, torch.sparse_coo, torch.sparse_csc])
def test_edges_are_read_from_adj_t(layout):
    edges = torch.tensor([[0, 1, 2], [1, 2, 1]])
    adj_t = torch.sparse_coo_tensor(edges.flip(0), torch.ones(3), (3, 3)).to_sparse(layout=layout)
    held = [ring(y, edge_index=None, adj_t=adj_t) for y in (0, 1, 0, 1)]
    found = problem(held)
    assert sorted(found.graphs[0].edge_index.t().tolist()) == [[0, 1], [1, 2], [2, 1]]
    assert found.notes == ()
    held[3] = ring(1, edge_index=None, adj_t=torch.zeros(3, 3))
    assert "expected adj_t as a sparse matrix, got float32 [3, 3]" in problem(held).notes[0]


@pytest.mark.parametrize("reason", BAD)
def test_a_bad_graph_is_set_aside_with_its_number_and_the_rest_goes_on(reason):
    good = rings()
    found = problem([*good[:2], BAD[reason], *good[2:]])
    assert len(found.graphs) == len(good)
    assert found.labels().tolist() == [0, 1, 1, 0, 1, 0]
    (note,) = found.notes
    assert note.startswith("1 of 7 graphs were set aside: position 2: ")
    assert reason in note


def test_missing_values_are_named_feature_by_feature():
    held = rings()
    held[1].x[0, 2] = held[1].x[2, 2] = held[4].x[1, 3] = NAN
    found = problem(held)
    assert len(found.graphs) == 6
    assert found.notes == (
        "feature 2: 2 of 18 values missing, replaced by the mean of the training part",
        "feature 3: 1 of 18 values missing, replaced by the mean of the training part",
    )


def test_weights_are_kept_as_weights_and_as_a_feature():
    weight = torch.tensor([1.0, 2.0, 3.0, 4.0, 5.0, 6.0])
    found = problem([ring(0, edge_weight=weight), ring(1), ring(0), ring(1)])
    assert found.graphs[0].edge_weight.tolist() == weight.tolist()
    assert found.graphs[0].edge_attr.tolist() == weight[:, None].tolist()
    assert found.graphs[1].edge_weight.tolist() == [1.0] * 6, "edges without weights weigh 1"
    (note,) = found.notes
    assert note.startswith("edges have weights: gcn multiplies by them")


@pytest.mark.filterwarnings("ignore:Sparse ")
def test_weights_are_read_from_adj_t():
    edges = torch.tensor([[0, 1, 2], [1, 2, 1]])
    adj_t = torch.sparse_coo_tensor(edges.flip(0), torch.tensor([0.5, 1.0, 2.0]), (3, 3)).coalesce()
    first = problem([ring(y, edge_index=None, adj_t=adj_t) for y in (0, 1)]).graphs[0]
    found = dict(zip(map(tuple, first.edge_index.t().tolist()), first.edge_weight.tolist(), strict=True))
    assert found == {(0, 1): 0.5, (1, 2): 1.0, (2, 1): 2.0}


def test_what_no_layer_reads_is_not_demanded():
    held = [ring(y, **({"edge_attr": torch.rand(6, 2)} if y else {})) for y in (0, 1, 0, 1)]
    with pytest.raises(ValueError, match=r"2 of 4 graphs cannot be used: position 1: it has .*edge_attr of 2 numbers"):
        problem(held)
    found = problem(held, layers=["gcn", "attention"])
    assert len(found.graphs) == 4
    assert [sorted(graph.keys()) for graph in found.graphs] == [["edge_index", "x", "y"]] * 4
    with pytest.raises(ValueError, match="2 of 4 graphs cannot be used"):
        problem(held, layers=["gcn", "edge_attention"])
    everyone = problem([held[1], held[3], ring(0, edge_attr=torch.rand(6, 2))], layers=["gcn"])
    assert "edge_attr" in everyone.graphs[0], "what all have is kept, and with it the name of the data"


@pytest.mark.parametrize("y", [NAN, float("inf")])
def test_values_that_are_no_number_are_set_aside(y):
    found = problem([ring(0.5), ring(y), ring(1.5)])
    assert found.labels().tolist() == [0.5, 1.5]
    assert found.notes == (f"1 of 3 graphs were set aside: position 1: y is {y}",)


@pytest.mark.parametrize(
    ("graphs", "message"),
    [
        ([], "expected graphs to learn from, got none"),
        (rings((1, 1, 1)), "expected two classes or more, got 1: 1"),
        (rings((0.5, 0.5)), "expected values that differ"),
        ([ring(None)] * 2, "2 of 2 graphs cannot be used: position 0: it has no y; position 1: it has no y"),
        ([ring(0), ring(1, x=torch.rand(3, 5))], "1 of 2 graphs cannot be used: position 1: it has x of 5 numbers"),
        ([ring(None, y=torch.rand(1, 3))] * 2, "expected target=0 to target=2, one of 3 targets, got target=None"),
    ],
)
def test_bad_graphs_are_refused(graphs, message):
    with pytest.raises(ValueError, match=re.escape(message)):
        problem(graphs)


def test_options_that_do_not_fit_are_refused():
    with pytest.raises(ValueError, match="one of 2 targets, got target=2"):
        problem([ring(None, y=torch.rand(1, 2))] * 2, target=2)
    with pytest.raises(ValueError, match=r"expected whole numbers as classes of a binary task, got 0\.5"):
        problem(rings((0.5, 1.0)), task="binary")
    with pytest.raises(ValueError, match="expected a task of binary, multiclass, regression, got 'ranking'"):
        problem(rings(), task="ranking")
    with pytest.raises(ValueError, match="expected two classes, got 3: 0, 1, 2"):
        problem(rings((0, 1, 2)), task="binary")


def blocks(**more):
    """A stochastic block model of two blocks of 10 nodes."""
    generator = torch.Generator().manual_seed(0)
    block = torch.arange(20) // 10
    chance = torch.where(block[:, None] == block, 0.6, 0.1)
    edges = (torch.rand(20, 20, generator=generator) < chance).triu(1)
    return Data(x=torch.rand(20, 2, generator=generator), edge_index=(edges | edges.T).nonzero().T, y=block, **more)


def masks(*parts):
    rows = [
        torch.zeros(20, dtype=torch.bool).index_fill(0, torch.tensor(part, dtype=torch.long), True) for part in parts
    ]
    return dict(zip(("train_mask", "val_mask", "test_mask"), rows, strict=True))


def test_nodes_of_one_graph_are_asked_in_the_parts_that_masks_name():
    found = problem(blocks(**masks([0, 10, 1], [2, 12], [3, 13])))
    assert (found.level, found.target, found.transductive) == ("node", "binary", True)
    assert [part.tolist() for part in found.splits[0]] == [[0, 1, 10], [2, 12], [3, 13]]
    assert problem(blocks()).splits is None
    assert sorted(found.graphs[0].keys()) == ["edge_index", "x", "y"]


def test_masks_may_have_folds_and_nodes_that_are_not_asked_are_in_no_part():
    folds = {
        name: torch.stack([mask, mask.roll(1)], dim=1) for name, mask in masks([0, 10, 1], [2, 12], [3, 13]).items()
    }
    graph = blocks(**folds)
    graph.y = graph.y.clone()
    graph.y[0] = -100
    found = problem([graph])
    assert [[part.tolist() for part in split] for split in found.splits] == [
        [[1, 10], [2, 12], [3, 13]],
        [[1, 2, 11], [3, 13], [4, 14]],
    ]


def test_a_missing_validation_part_is_a_tenth_of_the_training_part():
    graph = blocks(**masks(list(range(18)), [], [18, 19]))
    found = problem(graph)
    assert [len(part) for part in found.splits[0]] == [16, 2, 2]
    assert "it is a tenth of the training part, drawn by seed 0" in found.notes[0]


def test_nodes_of_many_graphs():
    graphs = [ring([0, 1, -100]), ring([-100, -100, -100]), ring([1, 1, 0]), ring([0, 0, 0])]
    found = problem(graphs)
    assert (found.level, found.transductive) == ("node", False)
    assert found.labels().tolist() == [0, 1, -100, 1, 1, 0, 0, 0, 0]
    assert found.notes == ("1 of 4 graphs were set aside: position 1: no y is known: -100",)
    values = problem([ring([0.5, NAN, 1.0]), ring([1.0, 2.0, 3.0])])
    assert values.known_labels().tolist() == [0.5, 1, 1, 2, 3]


def test_datasets_and_batches():
    class Rings(InMemoryDataset):
        def __init__(self):
            super().__init__()
            self.data, self.slices = self.collate(rings())

    found = problem(Rings())
    assert found.name == "Rings"
    assert found.labels().tolist() == [0, 1, 1, 0, 1, 0]
    assert problem(Batch.from_data_list(rings())).labels().tolist() == [0, 1, 1, 0, 1, 0]
