"""What half precision changes of a pretrained network."""

import torch

from graphattn.data.molecules.chemistry import read
from graphattn.data.molecules.embedded import load
from graphattn.training.molecules.packed import Packed
from graphattn.training.pretraining.saved import PretrainedNetwork


def change(one: PretrainedNetwork, other: PretrainedNetwork) -> float:
    """Largest difference of the guessed scores of descriptors of the first 512 molecules of bbb."""
    batch = Packed.of(read(load("bbb").smiles[:512]).graphs)[range(512)]
    with torch.inference_mode():
        return float((one.network(batch).descriptors - other.network(batch).descriptors).abs().max())
