"""What each cell of a tissue graph contributes to a prediction, drawn on the tissue and written for viewers."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from rich.table import Table
from torch_geometric.data import Data

from graphattn.data.tissue.labels import stem
from graphattn.data.tissue.writing import positions, write_csv, write_geojson, write_tiaviz
from graphattn.explain.attribution import attribute
from graphattn.explain.tissue import draw_cells
from graphattn.explain.tissue_folder import file_name
from graphattn.training.telling import Say
from graphattn.training.tissue.prediction import ReadImages, TissueModelFolder, score_names

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_MOST_PIXELS = 100_000_000
_FORMATS = (".png", ".jpg", ".jpeg", ".tif", ".tiff")


class CellScores(NamedTuple):
    """A score of each cell ``[N]``, what it is called, the number that they add up to, and what that is."""

    scores: NDArray[np.float64]
    name: str
    total: float
    says: str


def cell_scores(model: TissueModelFolder, graph: Data, target: str | None = None) -> CellScores:
    """Scores of cells, whose mean is what the model says of the image, exactly; of models without, integrated gradients.

    Of two classes the mean is the log odds of the one that is explained, of more its logit above the mean of all logits, of a
    value the value; of an ensemble that of the members in the mean. Where a model has no scores of nodes, contributions add up
    to the probability less that of a graph whose cells are all ordinary (:func:`~graphattn.explain.attribute`).

    Args:
        model: of :func:`~graphattn.training.tissue.prediction.open_model`.
        graph: as the model reads it.
        target: the class that is explained; the positive one if not given.
    """
    output, name = score_names(model, target)
    network, values = model.network, not model.task.classes
    try:
        with torch.inference_mode():
            data = network.prepared(graph)
            each = [member.node_scores(data).double() for member in network.members]  # pyright: ignore[reportCallIssue]
            found = torch.stack(each).mean(dim=0)
    except (AttributeError, ValueError):
        given = attribute(network, graph, "integrated_gradients", target=output)
        what = f"value of {name}" if values else f"probability of {name}"
        return CellScores(
            given.nodes.numpy(), f"contribution to the {what}", float(given.nodes.sum()), "sum of contributions"
        )
    if values:
        return _mean_of(network.answered(found)[:, 0], name, f"value of {name}")
    of = "" if len(network.members) == 1 else "mean over members of the "
    if "score" in network.scales:
        mean, deviation = (each[0] for each in network.scales["score"])
        sign = 1 if output == 1 else -1
        return _mean_of(sign * (found[:, 0] - mean) / deviation, f"score of {name}", f"{of}log odds of {name}")
    if found.size(1) == 2:
        return _mean_of(found[:, output] - found[:, 1 - output], f"score of {name}", f"{of}log odds of {name}")
    above = found[:, output] - found.mean(dim=1)
    return _mean_of(above, f"score of {name}", f"{of}logit of {name} above the mean of all")


def _mean_of(scores: torch.Tensor, name: str, says: str) -> CellScores:
    return CellScores(scores.numpy(), name, float(scores.mean()), f"mean score = {says}")


def explain_images(
    model: TissueModelFolder,
    graphs: Sequence[Data],
    read: ReadImages,
    folder: Path,
    *,
    images: Path | None = None,
    target: str | None = None,
    say: Say,
) -> Iterator[tuple[Data, CellScores]]:
    """Draw and write the scores of all images that can be used: ``.png``, ``.svg``, ``.csv``, ``.geojson``, TIAViz's ``.json``.

    Args:
        model: of :func:`~graphattn.training.tissue.prediction.open_model`.
        graphs: all graphs, as they were saved.
        read: those that the model can use.
        folder: new or empty.
        images: folder of the images that pictures are drawn on, by their name without case and suffix.
        target: the class that is explained.
        say: receives sentences.

    Raises:
        ValueError: a folder that is not empty, another class than the model's.
    """
    check_explained(folder, images)
    score_names(model, target)
    folder.mkdir(parents=True, exist_ok=True)
    for graph, position in zip(read.graphs, read.positions, strict=True):
        found, saved = cell_scores(model, graph, target), graphs[position]
        path = folder / file_name(position, str(saved["image"]))
        picture = None if images is None else image_of(saved, images, say)
        _draw(saved, found, picture, path)
        scores = {found.name: found.scores}
        write_csv(saved, path.with_name(f"{path.name}.csv"), scores)
        try:
            write_geojson(saved, path.with_name(f"{path.name}.geojson"), scores)
            write_tiaviz(saved, path.with_name(f"{path.name}.tiaviz.json"), scores)
        except ValueError as error:
            say(f"no GeoJSON: {error}")
        yield saved, found


def check_explained(folder: Path, images: Path | None) -> None:
    """Check that explanations can be written into a folder, and that images can be read from another.

    Raises:
        ValueError: a folder that is not empty; no folder of images.
    """
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise ValueError(f"expected a new or empty folder for explanations, got {folder}, which is not empty")
    if images is not None and not images.is_dir():
        raise ValueError(f"expected a folder of images, got {images}")


def table_of(explained: Sequence[tuple[Data, CellScores]]) -> Table:
    """Images, what their scores add up to, and the cells with the lowest and the highest score."""
    first = explained[0][1]
    table = Table("image", "cells", first.says, "lowest cell", "highest cell")
    for graph, found in explained:
        names = graph.get("node_id") or [str(row) for row in range(len(found.scores))]
        ends = [f"{names[int(at)]}: {found.scores[at]:.3f}" for at in (found.scores.argmin(), found.scores.argmax())]
        table.add_row(str(graph["image"]), f"{len(found.scores):,}", f"{found.total:.4f}", *ends)
    return table


def _draw(graph: Data, found: CellScores, image: NDArray[Any] | None, path: Path) -> None:
    """Types of cells with their legend, where there are any, beside the scores with their bar."""
    from matplotlib.figure import Figure

    panels = 2 if graph.get("cell_type_names") else 1
    figure = Figure(figsize=(7.5 * panels, 6), layout="constrained", dpi=150)
    axes = figure.subplots(1, panels, squeeze=False)[0]
    if panels == 2:
        draw_cells(axes[0], graph, image=image)
    draw_cells(axes[-1], graph, found.scores, image=image, name=found.name)
    axes[-1].set_title(f"{graph['image']}: {found.says} = {found.total:.3f}", fontsize=11)
    save_figure(figure, path)


def save_figure(figure: Figure, path: Path) -> None:
    """Write a figure as PNG and as SVG, the same file for the same figure."""
    from matplotlib import rc_context

    figure.savefig(path.with_name(f"{path.name}.png"))
    with rc_context({"svg.hashsalt": "graphattn"}):
        figure.savefig(path.with_name(f"{path.name}.svg"), metadata={"Date": None})


def image_of(graph: Data, folder: Path, say: Say) -> NDArray[Any] | None:
    """The image of a graph by its exact name, else by its name without case and suffix; none, which is said, if there is none."""
    from PIL import Image

    name = str(graph["image"])
    files = [path for path in sorted(folder.iterdir()) if path.suffix.lower() in _FORMATS]
    exact = [path for path in files if path.name == name]
    found = exact or [path for path in files if stem(path.name) == stem(name)]
    if len(found) != 1:
        say(f"image {name!r} is drawn without its picture: {folder} holds {len(found) or 'no'} files of that name")
        return None
    try:
        with Image.open(found[0]) as opened:
            if opened.width * opened.height > _MOST_PIXELS:
                raise ValueError(f"it has {opened.width:,} x {opened.height:,} pixels, more than {_MOST_PIXELS:,}")
            array = np.asarray(opened if opened.mode in ("L", "RGB", "RGBA") else opened.convert("RGB"))
        positions(graph, pixels=True)  # where the size of pixels is not known, cells have no place in it
    except (ValueError, OSError, Image.DecompressionBombError) as error:
        say(f"image {name!r} is drawn without its picture: {error}")
        return None
    return array
