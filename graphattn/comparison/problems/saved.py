"""A problem from a folder of saved graphs, such as those of tissue, with what they consist of beside the networks."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import torch
from torch_geometric.data import Data

from graphattn.comparison.problems.base import Problem, Target
from graphattn.comparison.problems.graphs import problem_of_graphs
from graphattn.data.stored import GRAPHS
from graphattn.data.tissue.composition import summaries
from graphattn.data.wording import listed
from graphattn.training.tissue.inputs import TissueForm
from graphattn.training.tissue.slides import open_graphs


def holds_graphs(folder: str | Path) -> bool:
    """Whether a path is a folder of saved graphs, or of ``graphattn tissue graph``."""
    folder = Path(folder)
    return (folder / GRAPHS).is_file() or (folder / "graphs" / GRAPHS).is_file()


def problem_of_saved(folder: str | Path, task: Target | None = None, group: str | None = None) -> Problem:
    """The problem that saved graphs pose by their ``y``.

    Types of cells become columns of features, and places are left out, so that nobody learns where an image was cut.

    Args:
        folder: of :func:`~graphattn.data.stored.save_graphs`, or of ``graphattn tissue graph``.
        task: what ``y`` is; inferred if not given.
        group: name of an attribute of graphs; graphs of one group stay in one part.

    Raises:
        ValueError: no labels; a graph without a group; graphs of which half cannot be used.
    """
    held = open_graphs(folder)
    labelled = [graph for graph in held if graph.y is not None]
    if not labelled:
        raise ValueError(
            f"the graphs in {folder} have no labels: give --labels to graphattn tissue graph, or set y before they are saved"
        )
    name = Path(folder).resolve().name
    if not any("cell_type" in graph or "feature_names" in graph for graph in labelled):
        return replace(problem_of_graphs(labelled, name, task=task, groups=group), notes=_without(held, labelled))
    form = TissueForm.of(labelled)
    usable = [graph for graph in labelled if not form.misfit(graph)]
    notes = _without(held, labelled) + tuple(
        f"image {graph['image']!r} was set aside: {why}" for graph in labelled if (why := form.misfit(graph))
    )
    applied = [form.applied(graph) for graph in usable]
    made = problem_of_graphs([_without_places(graph) for graph in applied], name, task=task, groups=group)
    if len(made.graphs) == len(applied):
        made = replace(made, tables=summaries(applied))
    read = f"x are {listed(form.features) or 'no measurements'} and types of cells {listed(form.types) or 'none'}"
    note = f"{read}; edges by {form.builder or 'no known builder'}; places of cells are not read"
    return replace(made, classes=_classes(usable, made), notes=(*made.notes, *notes, note))


def _without(held: list[Data], labelled: list[Data]) -> tuple[str, ...]:
    count = len(held) - len(labelled)
    return (f"{count} of {len(held)} graphs have no label and were left out",) if count else ()


def _without_places(graph: Data) -> Data:
    names = ("x", "edge_index", "edge_attr", "y", "feature_names")
    kept = Data.from_dict({name: graph[name] for name in names if name in graph})
    for name, value in graph.to_dict().items():
        if isinstance(value, str | int | float) and name not in kept:
            kept[name] = value
    return kept


def _classes(graphs: list[Data], made: Problem) -> tuple[str, ...]:
    """Names of classes that graphs have, in place of their numbers."""
    names = {tuple(graph.get("class_names") or ()) for graph in graphs}
    if len(names) != 1 or not made.classes or not (known := next(iter(names))):
        return made.classes
    numbers = torch.cat([graph["y"].reshape(-1) for graph in graphs]).unique().tolist()
    return tuple(str(known[int(number)]) for number in numbers)
