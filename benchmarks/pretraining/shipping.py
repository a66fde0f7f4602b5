"""What half precision changes of a pretrained network."""

import torch

from graphattn.data.molecules.chemistry import read
from graphattn.data.molecules.embedded import load
from graphattn.training.molecules.packed import Packed
from graphattn.training.pretraining.saved import PretrainedNetwork

NOTES = [
    "Corpus: SMILES of molsets 0.3.1 and chemicals 1.5.2, both under the MIT licence.",
    "Left out: all molecules of bbb, solubility, BACE, Tox21, ESOL, Kazius, BBBP and B3DB's external set, by InChIKey.",
    "Weights: under the licence of graphattn; the SHA-256 of each file stands in manifest.json.",
    "Commands: benchmarks/pretraining/README.md in the repository of graphattn.",
]


def change(one: PretrainedNetwork, other: PretrainedNetwork) -> float:
    """Largest difference of the guessed scores of descriptors of the first 512 molecules of bbb."""
    batch = Packed.of(read(load("bbb").smiles[:512]).graphs)[range(512)]
    with torch.inference_mode():
        return float((one.network(batch).descriptors - other.network(batch).descriptors).abs().max())
