"""Ways to lie to a layer, or to write into what it was given, and what must come of each.

An attack is an object times a way to write or lie, a layer, and a moment. Each is run in a process of its own::

    python -m tests.robustness.attacks [part of a name]

What may come of it: ``was``, the answer for what was given; ``is``, the answer for what is there now; ``refused``, a
``ValueError``, ``TypeError`` or ``IndexError`` that says what was expected and what came; or torch's own words where it looks
first. Answers, values and gradients, are those of ``edgewise``, or of PyG for a drop-in.
"""

from __future__ import annotations

import itertools
import re
import sys
import time
import warnings

import torch

from graphattn.topology import Edges
from tests.robustness.attacks.features import HEARING, TERMS, edge_features
from tests.robustness.attacks.given import things_of_graphs
from tests.robustness.attacks.lists import lists_of_edges
from tests.robustness.attacks.scene import (
    EDGES,
    LAYERS,
    NODES,
    TORCHS,
    Attack,
    answer,
    attention,
    drawn,
    kinds,
    numbers,
    rows,
)
from tests.robustness.attacks.sizes import sizes
from tests.robustness.attacks.wrong import compilers_and_threads, wrong_kinds
from tests.robustness.forked import outcome

REFUSED = re.compile(r"(ValueError|TypeError|IndexError): .*expected .* got ", re.DOTALL)
BY_TORCH = re.compile(
    r"(IndexError: .*out of range|Unsupported: .*expected .* got |RuntimeError: .*(size|shape|modified by an inplace))",
    re.DOTALL,
)


GROUPS = (lists_of_edges, things_of_graphs, sizes, edge_features, wrong_kinds, compilers_and_threads)


def warm() -> None:
    """All kernels loaded, so that no process has to."""
    for layer in LAYERS.values():
        answer(layer.make(), Edges(drawn(), NODES), layer.edge(EDGES))
        answer(layer.make(), Edges(drawn(5000), NODES), layer.edge(5000))
    for graph, term in itertools.product(HEARING.values(), TERMS.values()):
        for edge in (kinds, numbers, rows):
            answer(attention(**term()), graph(), edge(graph().num_edges))


def run(attack: Attack) -> str | None:
    """What is wrong with what came of an attack, or None."""
    came = outcome(attack.run)
    came = "refused" if REFUSED.match(came) else TORCHS if BY_TORCH.match(came) else came
    return None if came in attack.may else f"{attack.name}: expected {' or '.join(attack.may)}, got {came}"


def main() -> None:
    part = sys.argv[1] if len(sys.argv) > 1 else ""
    warnings.simplefilter("ignore")
    torch.set_num_threads(1)
    warm()
    begun, count, failed = time.monotonic(), 0, 0
    for group in GROUPS:
        for attack in group():
            if part not in attack.name:
                continue
            count += 1
            problem = run(attack)
            if problem:
                failed += 1
                sys.stdout.write(f"{problem}\n")
    sys.stdout.write(f"{count} attacks, {failed} wrong, {time.monotonic() - begun:.0f} s\n")
    raise SystemExit(failed > 0)


if __name__ == "__main__":
    main()
