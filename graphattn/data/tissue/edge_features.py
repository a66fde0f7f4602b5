"""What edges of tissue graphs say: distance, direction, and whether both ends are cells of one type."""

from __future__ import annotations

import torch
from torch_geometric.data import Data


def with_edge_features(graph: Data) -> Data:
    """A copy with ``edge_attr`` ``[E, 3]``: distance, and the direction from receiver to sender as a unit vector, 0 where both
    share a place; and in a fourth column, where cells have types, whether both are of the same. ``edge_feature_names`` names
    them.
    """
    built = graph.clone()
    sender, receiver = graph["edge_index"]
    apart = graph["pos"][sender] - graph["pos"][receiver]
    distance = apart.norm(dim=1, keepdim=True)
    columns = [distance, torch.where(distance > 0, apart / distance, 0.0)]
    names = ["distance", "direction x", "direction y"]
    if "cell_type" in graph:
        types = graph["cell_type"]
        columns.append(((types[sender] == types[receiver]) & (types[sender] >= 0)).float()[:, None])
        names.append("same type")
    built.edge_attr, built.edge_feature_names = torch.cat(columns, dim=1), names
    return built


def of_file(graph: Data) -> Data:
    """A copy with the edges that its file holds, and their features.

    Raises:
        ValueError: its file holds none.
    """
    if graph.edge_index is None:
        raise ValueError(
            f"the file of image {graph.get('image')!r} holds no edges: join neighbours by knn:8 or another rule"
        )
    built = with_edge_features(graph)
    built.builder = "file"
    return built
