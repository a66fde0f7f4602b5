"""Classes of cells: what is learned of each cell of tissue graphs, and how well it is said."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import final

import numpy as np
import pandas as pd
import scipy.sparse
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch_geometric.data import Data

from graphattn.data.labels import key_of, text_of
from graphattn.data.splits import PARTS, Split
from graphattn.data.tasks import Task, guess_task
from graphattn.data.tissue.cells import SetAside
from graphattn.data.wording import listed
from graphattn.models.by_name.network import Level
from graphattn.training.comparing import Judge
from graphattn.training.fitted_graphs import FittedNetwork
from graphattn.training.metrics import draws, mcc_of
from graphattn.training.telling import Say
from graphattn.training.tissue.answering import cell_predictions, parts
from graphattn.training.tissue.baselines import baselines
from graphattn.training.tissue.inputs import TissueForm
from graphattn.training.tissue.slides import Labels, usable_graphs, with_patients

Floats = NDArray[np.float64]
Rows = NDArray[np.int64]

MOST_CLASSES, MOST_LEARNED, TREES = 100, 20_000, 100
"""Classes of cells; cells that baselines learn from; trees of their forests."""
_NONE = -100


@final
@dataclass(frozen=True)
class LabelledCells:
    """Images whose cells are learned, a :class:`~graphattn.training.tissue.problems.base.TissueProblem`.

    Attributes:
        graphs: as a model reads them.
        labels: class of each cell of each image, -100 where there is none.
        task: what is learned.
        patients: of each image.
        cells: of each image in the column of splits, if there is one.
        form: of the graphs, by name.
        set_aside: what cannot be used.
    """

    graphs: list[Data]
    labels: list[Rows]
    task: Task
    patients: list[str]
    cells: list[str] | None
    form: TissueForm
    set_aside: list[SetAside]

    @property
    def level(self) -> Level:
        """Each cell has an answer."""
        return "node"

    @property
    def judge(self) -> Judge:
        """By the shares of cells that are named rightly."""
        return judge_of_cells(self.task)

    @property
    def classes(self) -> None:
        """Images have none."""

    def lesson(self, row: int, hops: int) -> list[tuple[Data, Tensor]]:
        """The graph of an image with the classes of its cells; of a large one tiles, each with its own cells labelled."""
        graph = self.graphs[row].clone()
        graph.y = torch.from_numpy(self.labels[row])
        return [(part, part["y"]) for part in parts(graph, hops) if bool((part["y"] != _NONE).any())]

    def lacking(self, split: Split) -> list[str]:
        """Sentences about classes that a part lacks.

        Raises:
            ValueError: the training part has one class only.
        """
        found = [{int(name) for row in rows for name in np.unique(self.labels[row])} - {_NONE} for rows in split]
        if len(found[0]) < 2:
            only = listed([name for k, name in enumerate(self.task.classes) if k in found[0]]) or "none"
            raise ValueError(f"the cells of the training part have one class only, {only}; try another --split")
        said = []
        for part, rows, there in zip(PARTS, split, found, strict=True):
            lacking = listed([name for k, name in enumerate(self.task.classes) if k not in there], "or", most=5)
            if lacking and len(rows):
                never = ": no cell will be called so" if part == PARTS[0] else ""
                said.append(f"warning: the {part} part has no cell of {lacking}{never}")
        return said

    def truth(self, rows: Rows) -> tuple[Floats, list[str]]:
        """Classes ``[n, 1]`` of the labelled cells of some images, and their patients."""
        held = [self.labels[row][self.labels[row] != _NONE] for row in rows]
        patients = [self.patients[row] for row, each in zip(rows, held, strict=True) for _ in each]
        return np.concatenate(held).astype(np.float64)[:, None], patients

    def answers(self, model: FittedNetwork, rows: Rows) -> Floats:
        """What a model says of the labelled cells of some images, ``[n, outputs]``."""
        return np.concatenate(
            [cell_predictions(model, self.graphs[row])[self.labels[row] != _NONE] for row in rows.tolist()]
        )

    def baselines(self, split: Split, seed: int) -> dict[str, Floats]:
        """What linear models and forests on the cell alone, and on it and the mean of its neighbours, say of the test part.

        Of the training and the validation part they see 20,000 cells at most, drawn at random.
        """
        draw = np.random.default_rng(seed)
        together = np.intersect1d(split.train, split.validation).size > 0
        shares = [split.train, split.validation[:0] if together else split.validation, split.test]
        tables, y, ends = dict[str, list[Floats]](), list[Floats](), [0]
        for at, rows in enumerate(shares):
            known = [np.flatnonzero(self.labels[row] != _NONE) for row in rows.tolist()]
            most = sum(map(len, known)) if at == 2 else MOST_LEARNED
            chosen = _drawn(known, most, draw)
            for row, here in zip(rows.tolist(), chosen, strict=True):
                y.append(self.labels[row][here].astype(np.float64))
                for name, table in cell_tables(self.graphs[row]).items():
                    tables.setdefault(name, []).append(table[here])
            ends.append(ends[-1] + sum(map(len, chosen)))
        pooled = {name: np.concatenate(each) for name, each in tables.items()}
        positions = Split(*(np.arange(first, last) for first, last in pairwise(ends)))
        return baselines(self.task, pooled, np.concatenate(y).astype(np.float32)[:, None], positions, seed, TREES)

    def bases(self, truth: Floats) -> dict[str, float]:
        """The balanced accuracy of chance."""
        return {"balanced accuracy": 1 / max(1, len(np.unique(truth)))}


def read_cells(graphs: Sequence[Data], labels: Labels, source: str, say: Say) -> LabelledCells:
    """Images whose cells have labels; says what is inferred and what is set aside.

    Args:
        graphs: of :func:`~graphattn.training.tissue.slides.open_graphs`.
        labels: what is learned of cells, and what keeps images together.
        source: what the graphs are called in messages.
        say: receives sentences.

    Raises:
        ValueError: a table of labels; no image whose cells have a label; labels that are no classes.
    """
    name = labels.cells or "cell_type"
    if labels.table is not None or labels.target is not None:
        raise ValueError(
            f"classes of cells come with the graphs, by --label {name}; got a table of images: give its patients to "
            "graphattn tissue graph --labels"
        )
    held, notes = with_patients(graphs, labels, source)
    for note in notes:
        say(note)
    with_label = [graph for graph in held if texts_of(graph, name) is not None]
    set_aside = [
        SetAside(source, f"image {graph['image']!r}", f"its cells have no {name!r}")
        for graph in held
        if texts_of(graph, name) is None
    ]
    if not with_label:
        raise ValueError(
            f"no cell has a {name!r} to learn; cells have {listed(known_of(held[0]), most=10) or 'nothing'}"
        )
    form = TissueForm.of(with_label, without_types=name == "cell_type").without(name)
    usable = usable_graphs(with_label, form, source, set_aside)
    task, classes = _classes([texts_of(graph, name) or [] for graph in usable], name, say)
    if not form.features and not form.types:
        say(f"cells have no measurements and no types beside {name!r}: networks read who neighbours whom alone")
    patients = [str(graph.get("patient") or graph["image"]) for graph in usable]
    cells = None if labels.split is None else [str(graph["label_columns"][labels.split]) for graph in usable]
    return LabelledCells([form.applied(graph) for graph in usable], classes, task, patients, cells, form, set_aside)


def texts_of(graph: Data, name: str) -> list[str] | None:
    """What the cells of a graph have of this name, as text, ``""`` where they have nothing; none if there is no such thing.

    >>> texts_of(Data(cell_type=torch.tensor([0, -1]), cell_type_names=["t"]), "cell_type")
    ['t', '']
    """
    if name == "cell_type":
        names = graph.get("cell_type_names")
        return [names[at] if at >= 0 else "" for at in graph["cell_type"].tolist()] if names else None
    if name in (graph.get("feature_names") or ()):
        values = graph["x"][:, list(graph["feature_names"]).index(name)]
    elif name in graph and isinstance(graph[name], list) and len(graph[name]) == graph.num_nodes:
        return [str(each) for each in graph[name]]
    elif name in graph and isinstance(graph[name], Tensor) and graph[name].numel() == graph.num_nodes:
        values = graph[name].reshape(-1)
    else:
        return None
    return ["" if value != value else f"{value:.12g}" for value in values.double().tolist()]


def known_of(graph: Data) -> list[str]:
    """What could be learned of the cells of a graph, by name."""
    types = ["cell_type"] if graph.get("cell_type_names") else []
    kept = [
        name
        for name, value in graph.to_dict().items()
        if isinstance(value, list) and len(value) == graph.num_nodes and name not in ("node_id", "feature_names")
    ]
    return [*types, *(name for name in kept if not name.startswith("cell_type")), *(graph.get("feature_names") or ())]


def judge_of_cells(task: Task) -> Judge:
    """That of cells: balanced accuracy, accuracy and Matthews' correlation, over patients drawn with replacement."""
    number = len(task.classes)

    def judged(prediction: Floats, y: Floats, patients: Sequence[str], resamples: int = 1000) -> dict[str, Floats]:
        said = prediction.argmax(1) if task.kind == "multiclass" else (prediction[:, 0] > 0.5).astype(np.int64)
        whose = np.unique(np.asarray(patients), return_inverse=True)[1]
        tables = np.zeros((int(whose.max(initial=-1)) + 1, number, number))
        np.add.at(tables, (whose, y[:, 0].astype(np.int64), said), 1)
        table = np.einsum("bp,pij->bij", draws(len(tables), resamples), tables)
        right, there = np.diagonal(table, axis1=1, axis2=2), table.sum(2)
        share = np.divide(right, there, out=np.zeros_like(right), where=there > 0)
        balanced = share.sum(1) / np.maximum(1, (there > 0).sum(1))
        accuracy = right.sum(1) / np.maximum(1, there.sum(1))
        return {"balanced accuracy": balanced, "accuracy": accuracy, "MCC": mcc_of(table)}

    return judged


def cell_tables(graph: Data) -> dict[str, Floats]:
    """Features of cells for models without a graph: of the cell alone, and with the mean of its neighbours.

    >>> graph = Data(x=torch.tensor([[1.0], [3.0]]), edge_index=torch.tensor([[0], [1]]))
    >>> cell_tables(graph)["the cell and its neighbours"].tolist()
    [[1.0, nan], [3.0, 1.0]]
    """
    x = graph["x"].double().numpy()
    edges = torch.empty(2, 0).long() if graph.edge_index is None else graph["edge_index"]
    sender, receiver = edges.numpy()
    heard = scipy.sparse.coo_matrix((np.ones(len(sender)), (receiver, sender)), shape=(len(x), len(x))).tocsr()
    known = ~np.isnan(x)
    counts = np.asarray(heard @ known.astype(np.float64))
    sums = np.asarray(heard @ np.where(known, x, 0.0))
    means = np.divide(sums, counts, out=np.full(x.shape, np.nan), where=counts > 0)
    return {"the cell alone": x, "the cell and its neighbours": np.hstack([x, means])}


def _classes(texts: Sequence[list[str]], name: str, say: Say) -> tuple[Task, list[Rows]]:
    """The task that labels of cells pose, and the class of each cell of each image."""
    counts = Counter(text for each in texts for text in each)
    different = {key_of(label) for text in counts if (label := text_of(text))}
    if len(different) > MOST_CLASSES:
        raise ValueError(
            f"{name!r} has {len(different):,} different values, expected classes of cells, {MOST_CLASSES} at most: "
            f"{listed(sorted(counts), most=5)}"
        )
    frame = pd.DataFrame({name: list(counts.elements())}, dtype=object)
    task, sentence = guess_task(frame, "binary" if len(different) == 2 else "multiclass")
    say(sentence)
    classes = [class_of_texts(task, each) for each in texts]
    if without := sum(int((each == _NONE).sum()) for each in classes):
        total = counts.total()
        say(f"{without:,} of {total:,} cells have no class: they are read, and neither learned nor tested")
    return task, classes


def class_of_texts(task: Task, texts: Sequence[str]) -> Rows:
    """Number of the class of each cell by its text, -100 where that is none of a task.

    >>> class_of_texts(Task("binary", ("kind",), ("stroma", "tumor")), ["Tumor", "", "stroma"]).tolist()
    [1, -100, 0]
    """
    words = list(dict.fromkeys(texts))
    y, _ = task.encode(pd.DataFrame({task.names[0]: words}, dtype=object))
    number = {word: _NONE if np.isnan(at) else int(at) for word, at in zip(words, y[:, 0], strict=True)}
    return np.array([number[text] for text in texts], dtype=np.int64)


def _drawn(known: Sequence[Rows], most: int, draw: np.random.Generator) -> list[Rows]:
    """At most so many of the cells of several images together, at random."""
    counts = [len(each) for each in known]
    if sum(counts) <= most:
        return list(known)
    kept = np.sort(draw.choice(sum(counts), most, replace=False))
    ends = pairwise(np.cumsum([0, *counts]).tolist())
    return [
        each[kept[(kept >= first) & (kept < last)] - first] for each, (first, last) in zip(known, ends, strict=True)
    ]
