"""A folder of tissue graphs: the graphs, a picture of each, and what was set aside."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

from rich.table import Table
from torch_geometric.data import Data

from graphattn.data.stored import save_graphs
from graphattn.data.tissue.cells import Tissue
from graphattn.data.writing import write_csv
from graphattn.explain.tissue import draw_tissue

PICTURES, REJECTED = "pictures", "rejected.csv"


def write_tissue(
    found: Tissue, build: Callable[[Data], Data], folder: str | Path, *, pictures: bool = True
) -> Iterator[Data]:
    """Build the edges of all graphs and write a folder; graphs are given when they and their picture are there.

    ``graphs/`` is what :func:`graphattn.data.load_graphs` reads, ``pictures/`` a PNG of each image by its number and name, and
    ``rejected.csv`` the file, place and reason of all that was set aside.

    Args:
        found: of :func:`graphattn.data.tissue.survey`.
        build: joins neighbours, such as ``tissue.builder("knn:8")``.
        folder: new or empty.
        pictures: whether to draw.

    Raises:
        ValueError: the folder is not empty.
    """
    folder = Path(folder)
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise ValueError(f"expected a new or empty folder for graphs, got {folder}, which is not empty")
    graphs = [build(graph) for graph in found.graphs]
    save_graphs(graphs, folder / "graphs")
    write_csv(("file", "place", "reason"), found.set_aside, folder / REJECTED)
    for number, graph in enumerate(graphs):
        if pictures:
            (folder / PICTURES).mkdir(exist_ok=True)
            draw_tissue(graph).savefig(folder / PICTURES / f"{file_name(number, str(graph['image']))}.png")
        yield graph


def file_name(number: int, image: str) -> str:
    """Name of the files of an image: its number, and its name without what a file name cannot have.

    >>> file_name(3, "slides/P 1.tif")
    '00003-slides_P_1.tif'
    """
    return f"{number:05d}-{''.join(sign if sign.isalnum() or sign in '-_.' else '_' for sign in image)[:80]}"


def summary(graphs: list[Data]) -> Table:
    """Images with their cells, edges and neighbours of a cell, as a table for the terminal.

    >>> import torch
    >>> graph = Data(pos=torch.zeros(2, 2), image="a", unit="um", edge_index=torch.tensor([[0, 1], [1, 0]]))
    >>> summary([graph]).row_count
    1
    """
    table = Table("image", "cells", "edges", "per cell", "types", "features", "unit", "patient")
    for graph in graphs:
        edges = 0 if graph.edge_index is None else graph.edge_index.size(1)
        cells = len(graph["pos"])
        features = graph.x.size(1) if graph.x is not None else 0
        numbers = (
            f"{cells:,}",
            f"{edges:,}",
            f"{edges / max(1, cells):.1f}",
            str(len(graph.get("cell_type_names") or ())),
        )
        table.add_row(
            str(graph["image"]), *numbers, str(features), str(graph.get("unit")), str(graph.get("patient") or "")
        )
    return table
