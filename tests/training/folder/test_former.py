import torch
from torch_geometric.data import Data

from graphattn.models import MoleculeTransformer
from graphattn.models.by_name.features import Features
from graphattn.models.by_name.network import Size, named_network
from graphattn.models.by_name.topologies import Configuration
from graphattn.training.folder.former import BY_NAME, MOLECULE_TRANSFORMER, renamed

ATOM = ["atom.table", "bond.table", "distance.weight", "random_walk.weight", "random_walk.bias"]
READ = ["norm.weight", "norm.bias", "readout.hub", "descriptors.1.weight", "descriptors.1.bias", "head.0.weight"]


def test_weights_of_molecule_models_of_before_have_their_names_of_today():
    today = MoleculeTransformer(outputs=1, channels=8, heads=1, layers=1, descriptors=3).state_dict()
    found = renamed(dict.fromkeys(ATOM + READ, torch.ones(1)), MOLECULE_TRANSFORMER)
    assert set(found) <= set(today), set(found) - set(today)
    assert {name.partition(".")[0] for name in found} == {"embedding", "edges", "trunk", "readout", "beside", "head"}
    assert set(today) - set(found) == {
        name for name in today if name.startswith(("trunk.blocks.", "head.", "readout.readout.layer"))
    } - {"head.0.weight"}


def test_weights_of_networks_by_name_of_before_have_their_names_of_today():
    graph = Data(x=torch.randn(2, 3), pos=torch.randn(2, 2), edge_index=torch.zeros(2, 0).long())
    names = {"nodes.start.map.weight", "nodes.place.map.bias", "norm.bias", "hubs", "pairs.edges.same", "head.3.bias"}
    today = named_network(
        Configuration("edge_attention", "edges+hub"), Size(8, 8), Features.of([graph]), 1
    ).state_dict()
    assert set(renamed(dict.fromkeys(names, torch.ones(1)), BY_NAME)) <= set(today)


def test_weights_of_today_stay_as_they_are():
    weights = MoleculeTransformer(outputs=1, channels=8, heads=1, layers=1).state_dict()
    assert list(renamed(weights, MOLECULE_TRANSFORMER)) == list(weights)
