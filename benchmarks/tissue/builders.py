"""Who neighbours whom: seconds and memory of our builders and of those of others, each in a process of its own."""

import json
import resource
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

DENSE_MOST = 20_000
"""Cells beyond which an array of all pairs would take more than 3 GB."""


def positions(cells: int) -> np.ndarray:
    """Cells at random, about one on 100 square micrometres."""
    return 10 * cells**0.5 * np.random.default_rng(0).random((cells, 2))


def ours(name: str, cells: int) -> int:
    """Edges of one of our builders, with distance and direction of each."""
    import torch
    from torch_geometric.data import Data

    from graphattn.data import tissue

    graph = Data(pos=torch.from_numpy(positions(cells)).float())
    made = {"knn": lambda: tissue.knn(graph, 8), "radius": lambda: tissue.radius(graph, 15.0)}
    return (made.get(name) or (lambda: tissue.delaunay(graph, 50.0)))().num_edges


def dense_knn(cells: int) -> int:
    """As histocartography and PathML build: a sparse matrix of the nearest, made dense."""
    from sklearn.neighbors import kneighbors_graph

    return int(np.count_nonzero(kneighbors_graph(positions(cells), 8).toarray()))


def squidpy_knn(cells: int) -> int:
    """`squidpy.gr.spatial_neighbors` by the 8 nearest."""
    import anndata
    import squidpy

    table = anndata.AnnData(np.zeros((cells, 1), dtype=np.float32), obsm={"spatial": positions(cells)})
    squidpy.gr.spatial_neighbors(table, coord_type="generic", n_neighs=8)
    return int(table.obsp["spatial_connectivities"].nnz)


def squidpy_delaunay(cells: int) -> int:
    """`squidpy.gr.spatial_neighbors` by Delaunay's triangulation."""
    import anndata
    import squidpy

    table = anndata.AnnData(np.zeros((cells, 1), dtype=np.float32), obsm={"spatial": positions(cells)})
    squidpy.gr.spatial_neighbors(table, coord_type="generic", delaunay=True)
    return int(table.obsp["spatial_connectivities"].nnz)


def pyg_knn(cells: int) -> int:
    """`torch_geometric.nn.knn_graph` of the 8 nearest."""
    import torch
    from torch_geometric.nn import knn_graph

    return knn_graph(torch.from_numpy(positions(cells)).float(), 8).size(1)


def pyg_radius(cells: int) -> int:
    """`torch_geometric.nn.radius_graph` within 15 micrometres."""
    import torch
    from torch_geometric.nn import radius_graph

    return radius_graph(torch.from_numpy(positions(cells)).float(), 15.0, max_num_neighbors=64).size(1)


BUILDERS: dict[str, Callable[[int], int]] = {
    "graphattn knn:8": lambda cells: ours("knn", cells),
    "graphattn radius:15": lambda cells: ours("radius", cells),
    "graphattn delaunay:50": lambda cells: ours("delaunay", cells),
    "dense knn (histocartography)": dense_knn,
    "squidpy knn": squidpy_knn,
    "squidpy delaunay": squidpy_delaunay,
    "PyG knn_graph": pyg_knn,
    "PyG radius_graph": pyg_radius,
}


def measured(cells: int, squidpy: Path | None = None) -> Iterator[dict[str, Any]]:
    """Each builder in a process of its own, squidpy's by the Python of its environment; what does not run says why."""
    for name in BUILDERS:
        python = str(squidpy) if squidpy is not None and name.startswith("squidpy") else sys.executable
        asked = [python, "-W", "ignore", "-m", "benchmarks.tissue.builders", name, str(cells)]
        found = subprocess.run(asked, capture_output=True, text=True, check=False)
        said = found.stdout.strip().splitlines()
        reason = {"reason": f"ended with {found.returncode}: {found.stderr.strip().splitlines()[-1:]}"}
        yield {"builder": name, "cells": cells} | (json.loads(said[-1]) if said else reason)


def once(name: str, cells: int) -> dict[str, Any]:
    """Seconds of the second of two calls with few cells before, so that imports and kernels are not counted."""
    if name.startswith("dense") and cells > DENSE_MOST:
        return {"reason": f"an array of all pairs would take {8 * cells**2 / 2**30:,.0f} GiB"}
    try:
        BUILDERS[name](1000)
        wall, cpu = time.perf_counter(), time.process_time()
        edges = BUILDERS[name](cells)
    except ImportError as error:
        return {"reason": " ".join(str(error).split())[:120]}
    seconds = {"seconds": round(time.perf_counter() - wall, 2), "cpu_s": round(time.process_time() - cpu, 2)}
    return {"edges": edges, **seconds, "peak_mib": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024}


if __name__ == "__main__":
    print(json.dumps(once(sys.argv[1], int(sys.argv[2]))))
