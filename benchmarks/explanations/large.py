"""What explanations of a saved model look like as numbers: how large they are, and how much memory they take."""

import resource
import sys
import time
from pathlib import Path

import numpy as np

from benchmarks.explanations.hiding import held_fixed
from graphattn.data.molecules.embedded import open_table
from graphattn.data.molecules.prepare import collect
from graphattn.explain.attribution import attribute
from graphattn.explain.masking import Masking
from graphattn.explain.molecules.subject import Hide, hide, molecule_subject
from graphattn.training.molecules import saved


def largest(folder: Path, data: str) -> str:
    """The largest contribution of an atom, either sign, in each test molecule of a model: quartiles."""
    model = saved.load(folder)
    molecules = collect(open_table(data), chemistry=model.chemistry)
    tested = set(model.record["lines"]["test"])
    chosen = [mol for mol, graph in zip(molecules.mols, molecules.graphs, strict=True) if graph["line"] in tested]
    ways: dict[str, Hide] = {"as explain does": hide, "descriptors held fixed": held_fixed}
    lines = [f"{len(chosen)} test molecules; largest contribution of an atom: lower quartile, median, upper quartile"]
    for name, way in ways.items():
        subject = molecule_subject(model, way)
        values = [float(attribute(subject, molecule).nodes.abs().max()) for molecule in chosen]
        low, middle, high = np.percentile(values, [25, 50, 75])
        lines.append(f"{name}: {low:.3f}, {middle:.3f}, {high:.3f}")
    return "\n".join(lines)


def memory(folder: Path, atoms: int, bonds: bool) -> str:
    """Peak memory of this process before and after the atoms, and bonds, of a molecule of so many heavy atoms are explained."""
    model = saved.load(folder)
    before, began = _peak(), time.perf_counter()
    found = attribute(model, chain(atoms), Masking(edges=bonds))
    seconds = time.perf_counter() - began
    parts = f"{len(found.nodes)} atoms" + (f" and {len(found.edges) // 2} bonds" if found.edges is not None else "")
    return f"{parts}: peak memory {_peak():.0f} MB, {before:.0f} MB of it before; {seconds:.0f} s"


def chain(atoms: int) -> str:
    """SMILES of a chain of so many heavy atoms, every 25th of them an oxygen.

    >>> chain(27)
    'CCCCCCCCCCCCCCCCCCCCCCCCOCC'
    """
    return ("C" * 24 + "O") * (atoms // 25) + "C" * (atoms % 25)


def _peak() -> float:
    """Megabytes."""
    used = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return used / 1e6 if sys.platform == "darwin" else used / 1e3
