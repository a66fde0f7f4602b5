"""Models of molecules as methods of attribution see them: hidden atoms are unknown, and descriptors are those of what is left."""

from __future__ import annotations

import copy
from collections.abc import Callable, Sequence
from functools import partial

import networkx
import numpy as np
import torch
from networkx.algorithms.isomorphism import GraphMatcher
from numpy.typing import NDArray
from rdkit import Chem
from torch import Tensor
from torch_geometric.data import Batch, Data
from torch_geometric.utils import to_networkx

from graphattn.data.molecules.chemistry import Chemistry, attach, attach_fingerprints, describe, parse
from graphattn.data.molecules.rdkit2d import DESCRIPTOR_NAMES
from graphattn.data.molecules.smiles import to_data
from graphattn.data.tasks import Task
from graphattn.explain.molecules.cutting import as_carbon, without
from graphattn.explain.subject import Mask, Subject, likeliest
from graphattn.training.molecules.objective import predictions
from graphattn.training.molecules.packed import Packed
from graphattn.training.molecules.saved import FittedModel

Hide = Callable[[Data, Mask], tuple[Data, Chem.Mol]]
"""From a graph with its ``molecule`` and a mask what networks read, and the molecule of descriptors and fingerprints."""


def hide(graph: Data, mask: Mask) -> tuple[Data, Chem.Mol]:
    """Atoms become "unknown" in every feature, as in training; descriptors and fingerprints know no such atoms and have carbon.

    Bonds are cut in both.
    """
    molecule = graph["molecule"]
    if mask.edges:
        ends = graph["edge_index"][:, list(mask.edges)].T.tolist()
        molecule = without(molecule, bonds={molecule.GetBondBetweenAtoms(*pair).GetIdx() for pair in ends})
        graph = to_data(molecule)
    hidden = copy.copy(graph)
    if mask.nodes:
        hidden["x"] = graph["x"].clone()
        hidden["x"][list(mask.nodes)] = 0
        molecule = as_carbon(molecule, mask.nodes)
    return hidden, molecule


def molecule_subject(model: FittedModel, hide: Hide = hide) -> Subject:
    """A model of molecules, of SMILES, RDKit's molecules or graphs of :func:`~graphattn.data.to_data`."""

    def read(given: object) -> Data:
        graph = _read(model, given)
        _equip(model, [graph], [graph["molecule"]])
        return graph

    def masked(graph: Data, masks: Sequence[Mask]) -> list[Data]:
        copies, molecules = zip(*(hide(graph, mask) for mask in masks), strict=True)
        # Those of the whole molecule are known: of 500 atoms they take a second.
        others = [at for at, molecule in enumerate(molecules) if molecule is not graph["molecule"]]
        known = [name for name in ("descriptors", "own_descriptors", "fingerprint") if name in graph]
        for each in copies:
            each.update({name: graph[name] for name in known})
        _equip(model, [copies[at] for at in others], [molecules[at] for at in others])
        return list(copies)

    def blank(graph: Data) -> Data:
        (whole,) = masked(graph, [Mask()])
        whole["x"] = torch.zeros_like(whole["x"])
        return whole

    def batch(graphs: list[Data]) -> Batch:
        return Packed.of(graphs, model.standardiser, model.table)[range(len(graphs))]

    return Subject(
        model.members,
        read,
        masked,
        blank,
        batch,
        partial(_scaled, model),
        outputs_of(model.task),
        likeliest if model.task.kind in ("binary", "multiclass") else lambda answer: 0,
        tuple(model.shares.tolist()),
    )


def descriptors_of(molecules: Sequence[Chem.Mol]) -> NDArray[np.float32]:
    """Descriptors of molecules ``[N, D]``; those of a molecule without atoms are missing (NaN).

    >>> np.isnan(descriptors_of([Chem.Mol(), Chem.MolFromSmiles("CO")])).all(1)
    array([ True, False])
    """
    found = np.full((len(molecules), len(DESCRIPTOR_NAMES)), np.nan, dtype=np.float32)
    there = [at for at, molecule in enumerate(molecules) if molecule.GetNumAtoms()]
    found[there] = describe([molecules[at] for at in there])
    return found


def outputs_of(task: Task) -> tuple[str, ...]:
    """Names of what is predicted: classes, or targets where there are several or values.

    >>> outputs_of(Task("binary", ("y",), ("no", "yes")))
    ('no', 'yes')
    """
    return task.classes if task.kind in ("binary", "multiclass") else task.names


def parse_in_order(given: object, chemistry: Chemistry) -> Chem.Mol:
    """The molecule of SMILES, see :func:`~graphattn.data.molecules.chemistry.parse`; one of RDKit is taken as it is.

    >>> parse_in_order(Chem.MolFromSmiles("OCC"), Chemistry()).GetAtomWithIdx(0).GetSymbol()
    'O'
    """
    return given if isinstance(given, Chem.Mol) and given.GetNumAtoms() else parse(given, chemistry)


def molecule_of(graph: Data) -> Chem.Mol:
    """The molecule of a graph of :func:`~graphattn.data.to_data`, its atoms in the order of the nodes.

    Raises:
        ValueError: a graph without ``smiles``, or whose nodes are not the atoms that its SMILES has.

    >>> graph = to_data(Chem.MolFromSmiles("OCC"))
    >>> graph.smiles, [atom.GetSymbol() for atom in molecule_of(graph).GetAtoms()]
    ('CCO', ['O', 'C', 'C'])
    """
    if "smiles" not in graph:
        raise ValueError("expected a graph with its smiles, as to_data makes it, or SMILES; got a graph without")
    parameters = Chem.SmilesParserParams()
    parameters.removeHs = False
    written, plain = Chem.MolFromSmiles(graph["smiles"], parameters), Chem.MolFromSmiles(graph["smiles"])
    for molecule in (
        written,
        Chem.AddHs(plain),
    ):  # RDKit gives hydrogens that it adds other features than those it reads
        found = to_data(molecule)
        match = GraphMatcher(_labelled(graph), _labelled(found), _same, _same)
        if len(found["x"]) == len(graph["x"]) and match.is_isomorphic():
            return Chem.RenumberAtoms(molecule, [match.mapping[node] for node in range(len(graph["x"]))])
    raise ValueError(f"expected the atoms of {graph['smiles']!r} as nodes, got others, or with other features")


def molecule_in(graph: Data) -> Chem.Mol:
    """The molecule that a graph brings, see :func:`with_molecule`, else that of its SMILES."""
    return graph["molecule"] if "molecule" in graph else molecule_of(graph)


def with_molecule(graph: Data, molecule: Chem.Mol) -> Data:
    """The graph beside the molecule whose atoms are its nodes, which need not be found then."""
    found = copy.copy(graph)
    found["molecule"] = molecule
    return found


def _same(one: dict[str, object], other: dict[str, object]) -> bool:
    return one["kind"] == other["kind"]


def _labelled(graph: Data) -> networkx.Graph:
    joined = to_networkx(Data(edge_index=graph["edge_index"], num_nodes=len(graph["x"])), to_undirected=True)
    networkx.set_node_attributes(joined, dict(enumerate(map(tuple, graph["x"].tolist()))), "kind")
    kinds = zip(map(tuple, graph["edge_index"].T.tolist()), map(tuple, graph["edge_attr"].tolist()), strict=True)
    networkx.set_edge_attributes(joined, dict(kinds), "kind")
    return joined


def _read(model: FittedModel, given: object) -> Data:
    if isinstance(given, Data):
        molecule, graph = molecule_in(given), copy.copy(given)
        for name in {"y", "weight"} & set(graph.keys()):  # graphs with cut bonds are made anew, without
            del graph[name]
    else:
        molecule = parse_in_order(given, model.chemistry)
        graph = to_data(molecule)
    graph["molecule"] = molecule
    return graph


def _equip(model: FittedModel, graphs: list[Data], molecules: list[Chem.Mol]) -> None:
    """Gives graphs what the model reads beside them."""
    if model.columns and not all("own_descriptors" in graph for graph in graphs):
        raise ValueError(
            f"the model reads columns of a table, {', '.join(model.columns)}: expected a table that has them, got SMILES"
        )
    if model.reads_descriptors:
        attach(graphs, descriptors_of(molecules) if model.reads_rdkit else None)
    if model.reads_fingerprints:
        attach_fingerprints(graphs, molecules)


def _scaled(model: FittedModel, outputs: Tensor) -> Tensor:
    found = predictions(model.task, outputs, *model.target).double()
    return torch.cat([1 - found, found], dim=1) if model.task.kind == "binary" else found
