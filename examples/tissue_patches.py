"""Patches and cells, one layer: a vision transformer on a grid of patches, and the same network on the graph of nuclei.

Papers: Dosovitskiy et al. 2021 (ViT), Vaswani et al. 2017 (attention), Ruifrok & Johnston 2001 (stains taken apart by colour).

The photograph of examples/tissue.py is cut into patches of 16 x 16 pixels, which are averaged four by four. A patch is a node; in
a vision transformer it hears all patches, or on the grid the eight beside it. A nucleus is a node, too, and hears its neighbours
of Delaunay's triangulation. The network is one line, and the same in all three: an embedding, two blocks of attention, what is
read of each node. It is told the blue stain alone, as pixels or as shape and mean, and asked where the brown one is; the right
half is held back.
Only who is a node and who hears whom differs.
Picture: tissue_patches.jpg, what is asked, and what the network says on the grid of patches and on the graph of nuclei.

    python examples/tissue_patches.py [--fast] [--seed N] [--out DIR]
"""

import argparse
import json
from pathlib import Path

import numpy as np
import torch
from matplotlib.figure import Figure
from skimage import color, data, filters
from sklearn.metrics import roc_auc_score
from tissue import LONGEST, of_nuclei
from torch import Tensor, nn
from torch_geometric.data import Data

from graphattn import Full, models
from graphattn.data import tissue
from graphattn.data.images import patches
from graphattn.explain.tissue import draw_cells

SIZE, COARSE, CHANNELS, NOISE = 16, 4, 32, 0.5


# ---------------------------------------------------------------------------------------------------- the idea
def network(features: int, graph: models.GraphOf) -> nn.Module:
    """A vision transformer without its class node: each node is read. Patches or cells, all or neighbours: it does not know."""
    return models.Encoder(
        models.FeatureEmbedding(features, CHANNELS), outputs=1, graph=graph, dropout=0.1, readout=models.EachNode
    )


# -------------------------------------------------------------------------------------------------------------


def of_patches(stains: np.ndarray) -> tuple[Data, np.ndarray]:
    """Patches of the blue stain on a grid, with their centres in pixels from the middle; the brown stain of each."""
    coarse = (torch.from_numpy(stains[..., at]).float()[None, None] for at in (0, 2))
    blue, brown = (nn.functional.avg_pool2d(stain, COARSE) for stain in coarse)
    (graph,), (stain,) = patches(blue, SIZE // COARSE, radius=1), patches(brown, SIZE // COARSE)
    middle = torch.tensor([stains.shape[1], stains.shape[0]]) / 2
    graph.pos, graph.origin = graph.pos.flip(1) * SIZE + SIZE / 2 - middle, middle.double()
    return graph, stain.x.mean(1).numpy()


def learned(graph: Data, brown: Tensor, model: nn.Module, steps: int) -> Tensor:
    """Probability of brown for each node. Edges to the half that is held back are not there in training."""
    train = graph.pos[:, 0] < 0
    deviation, mean = torch.std_mean(graph.x[train], dim=0)
    x = (graph.x - mean) / deviation.clamp(min=1e-6)
    number, inside = train.cumsum(0) - 1, train[graph.edge_index].all(dim=0)
    half, whole = (
        Data(x=x[train], edge_index=number[graph.edge_index[:, inside]]),
        Data(x=x, edge_index=graph.edge_index),
    )
    optimizer = torch.optim.AdamW(model.parameters(), lr=2e-3, weight_decay=0.1)
    for _ in range(steps):
        optimizer.zero_grad()
        half.x = x[train] + NOISE * torch.randn_like(x[train])
        nn.functional.binary_cross_entropy_with_logits(model(half)[:, 0], brown[train]).backward()
        optimizer.step()
    model.eval()
    with torch.no_grad():
        return model(whole)[:, 0].sigmoid()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--fast", action="store_true", help="a corner of the photograph")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path, default=Path(), help="folder of the picture")
    arguments = parser.parse_args()
    photograph = data.immunohistochemistry()[: 128 if arguments.fast else 512]
    stains = color.rgb2hed(photograph)
    (grid, stain), (cells, of_cells) = of_patches(stains), of_nuclei(stains, arguments.out)
    cells = tissue.delaunay(cells, LONGEST)
    found, areas = {}, {}
    for name, graph, values, hears in (
        ("patches, all", grid, stain, Full),
        ("patches, grid", grid, stain, models.of_edges),
        ("nuclei, neighbours", cells, of_cells, models.of_edges),
    ):
        torch.manual_seed(arguments.seed)
        brown = torch.from_numpy(values > filters.threshold_otsu(values)).float()
        model = network(graph.x.size(1), hears)
        found[name] = learned(graph, brown, model, 3 if arguments.fast else 60)
        asked = graph.pos[:, 0] >= 0
        areas[name] = float(roc_auc_score(brown[asked], found[name][asked]))
        edges = graph.num_edges if hears is models.of_edges else graph.num_nodes**2
        print(f"{name:18} {graph.num_nodes} nodes, {edges} edges: ROC-AUC on the right half {areas[name]:.3f}")

    figure = Figure(figsize=(15, 5), layout="constrained")
    left, middle, right = figure.subplots(1, 3)
    left.imshow(photograph)
    left.set_title("where is brown? the blue stain is told", fontsize=11)
    shape = (photograph.shape[0] // SIZE, photograph.shape[1] // SIZE)
    sides = (0, photograph.shape[1], photograph.shape[0], 0)
    shown = middle.imshow(found["patches, grid"].view(shape), extent=sides, cmap="viridis")
    figure.colorbar(shown, ax=middle, label="probability of brown", shrink=0.7)
    middle.set_title("patches that hear the eight beside them", fontsize=11)
    draw_cells(right, cells, found["nuclei, neighbours"].numpy(), image=photograph, name="probability of brown")
    right.set_title("nuclei that hear their neighbours", fontsize=11)
    for axes in (left, middle, right):
        axes.axvline(photograph.shape[1] / 2, color="black", linestyle="--", linewidth=1)
        axes.set_axis_off()
    figure.savefig(arguments.out / "tissue_patches.jpg", dpi=90, pil_kwargs={"quality": 85})
    print(f"drawn: {arguments.out / 'tissue_patches.jpg'}")
    print("RESULT", json.dumps({"example": "tissue_patches", "seed": arguments.seed, "ROC-AUC": areas}))


if __name__ == "__main__":
    main()
