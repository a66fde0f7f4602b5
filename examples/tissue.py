"""Tissue as a graph: nuclei are nodes, neighbours are joined, and a layer hears the neighbourhood.

Papers: Ruifrok & Johnston 2001 (stains taken apart by colour); Vincent & Soille 1991 (watershed); Delaunay 1934; Lu et al. 2022,
"SlideGraph+" (slides as graphs); Wang et al. 2019 (EdgeConv).

A photograph of colon mucosa, stained blue for nuclei and brown for a protein, comes with scikit-image. Its nuclei become a label
image, the label image a graph: nothing is downloaded, and the same three lines read QuPath, HoVer-Net or a table of cells.
Do cells of one kind lie together? Edges answer: the share that joins two nuclei of one kind, beside the same graph with shuffled
kinds. Then a layer that hears neighbours is told the shape of nuclei and the blue stain alone, and asked which are brown; the
right half of the picture is held back.

Picture: tissue.jpg, nuclei and neighbours on the photograph, and what the layer says of the half it has not seen.

    python examples/tissue.py [--fast] [--seed N] [--out DIR]
"""

import argparse
import json
from pathlib import Path

import numpy as np
import torch
from matplotlib.figure import Figure
from scipy import ndimage
from skimage import color, data, feature, filters, segmentation
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score
from sklearn.preprocessing import StandardScaler
from torch import Tensor, nn
from torch_geometric.data import Data

from graphattn import EdgeConv, Edges
from graphattn.data import tissue
from graphattn.explain.tissue import draw_cells

SHUFFLES, LONGEST = 500, 40.0  # pixels: the photograph does not say how large they are


def nuclei(blue: np.ndarray) -> np.ndarray:
    """Label image of nuclei: blue above Otsu's threshold, touching ones taken apart at their waists."""
    smooth = filters.gaussian(blue, 1)
    inside = ndimage.binary_opening(smooth > filters.threshold_otsu(smooth), iterations=2)
    depth = filters.gaussian(ndimage.distance_transform_edt(inside), 1)
    peaks = feature.peak_local_max(depth, min_distance=6, labels=inside.astype(int))
    seeds = np.zeros(inside.shape, dtype=int)
    seeds[tuple(peaks.T)] = np.arange(1, len(peaks) + 1)
    return segmentation.watershed(-depth, seeds, mask=inside)


def of_nuclei(stains: np.ndarray, folder: Path) -> tuple[Data, np.ndarray]:
    """Nuclei with their shape and mean blue stain; the brown stain of each."""
    labels = nuclei(stains[..., 0])
    np.savez_compressed(folder / "nuclei.npz", labels=labels)
    (graph,) = tissue.read(folder / "nuclei.npz")  # here could stand cells.geojson, with mpp=0.25
    numbers = [int(name) for name in graph.node_id]
    blue, brown = (ndimage.mean(stains[..., at], labels, numbers) for at in (0, 2))
    graph.x = torch.cat([graph.x, torch.from_numpy(blue).float()[:, None]], dim=1)
    return graph, brown


def same_kind(graph: Data, seed: int) -> tuple[float, float, float]:
    """Share of edges between nuclei of one kind; mean and standard deviation with kinds shuffled."""
    rng, (sender, receiver) = np.random.default_rng(seed), graph.edge_index.numpy()
    kinds = graph.cell_type.numpy()
    shuffled = [
        (mixed[sender] == mixed[receiver]).mean() for mixed in (rng.permutation(kinds) for _ in range(SHUFFLES))
    ]
    return float((kinds[sender] == kinds[receiver]).mean()), float(np.mean(shuffled)), float(np.std(shuffled))


# ---------------------------------------------------------------------------------------------------- the idea
class Neighbourhood(nn.Module):
    """Two EdgeConv layers on the graph of nuclei, and the log odds of brown for each."""

    def __init__(self, features: int, channels: int = 16) -> None:
        super().__init__()
        self.first = EdgeConv(nn.Sequential(nn.Linear(2 * features, channels), nn.ReLU()))
        self.second = EdgeConv(nn.Sequential(nn.Linear(2 * channels, channels), nn.ReLU()))
        self.head = nn.Linear(channels, 1)

    def forward(self, x: Tensor, graph: Edges) -> Tensor:
        return self.head(self.second(self.first(x, graph), graph))[:, 0]


# ---------------------------------------------------------------------------------------------------------


def learned(graph: Data, brown: Tensor, train: Tensor, steps: int, seed: int) -> Tensor:
    """Probability of brown for each nucleus. Edges to the half that is held back are not there in training."""
    torch.manual_seed(seed)
    x = torch.from_numpy(StandardScaler().fit(graph.x[train]).transform(graph.x)).float()
    whole, inside = Edges(graph.edge_index, len(x)), train[graph.edge_index].all(dim=0)
    half, model = Edges(graph.edge_index[:, inside], len(x)), Neighbourhood(x.size(1))
    optimizer = torch.optim.AdamW(model.parameters(), lr=5e-3, weight_decay=1e-2)
    for _ in range(steps):
        optimizer.zero_grad()
        nn.functional.binary_cross_entropy_with_logits(model(x, half)[train], brown[train]).backward()
        optimizer.step()
    with torch.no_grad():
        return model(x, whole).sigmoid()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--fast", action="store_true", help="a corner of the photograph")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path, default=Path(), help="folder of the picture")
    arguments = parser.parse_args()
    photograph = data.immunohistochemistry()[: 256 if arguments.fast else 512]
    stains = color.rgb2hed(photograph)
    graph, stain = of_nuclei(stains, arguments.out)
    graph.cell_type = torch.from_numpy(stain > filters.threshold_otsu(stain)).long()
    graph.cell_type_names, graph.image = ["blue", "brown"], "colon mucosa"
    graph = tissue.delaunay(graph, LONGEST)

    share, expected, spread = same_kind(graph, arguments.seed)
    print(f"{graph.num_nodes} nuclei, {graph.num_edges // 2} pairs of neighbours")
    print(f"of one kind: {share:.1%} of neighbours; with kinds shuffled {expected:.1%} +- {spread:.1%}")
    train, brown = graph.pos[:, 0] < 0, graph.cell_type.float()
    told = learned(graph, brown, train, 20 if arguments.fast else 150, arguments.seed)
    alone = LogisticRegression().fit(StandardScaler().fit_transform(graph.x[train]), brown[train])
    alone = alone.predict_proba(StandardScaler().fit(graph.x[train]).transform(graph.x))[:, 1]
    areas = {
        name: float(roc_auc_score(brown[~train], each[~train]))
        for name, each in (("neighbourhood", told), ("alone", alone))
    }
    print(
        f"brown or not, ROC-AUC on the right half: {areas['neighbourhood']:.3f} with neighbours, {areas['alone']:.3f} without"
    )

    figure = Figure(figsize=(14, 6), layout="constrained")
    left, right = figure.subplots(1, 2)
    draw_cells(left, graph, image=photograph)
    draw_cells(right, graph, told.numpy(), image=photograph, name="probability of brown, by shape, blue and neighbours")
    right.axvline(float(graph.origin[0]), color="black", linestyle="--", linewidth=1)
    right.set_title("learned on the left of the line, asked on both sides", fontsize=11)
    figure.savefig(arguments.out / "tissue.jpg", dpi=100, pil_kwargs={"quality": 85})
    print(f"drawn: {arguments.out / 'tissue.jpg'}")
    result = {"example": "tissue", "seed": arguments.seed, "same kind": share, "shuffled": expected, "ROC-AUC": areas}
    print("RESULT", json.dumps(result))


if __name__ == "__main__":
    main()
