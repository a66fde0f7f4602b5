"""Data made by rule from a seed, for models to learn: each function returns a list of PyG graphs, or what they are made from."""

from graphattn.data.generated.boolean import sparse_and, two_rules, xor
from graphattn.data.generated.cells import counted_cells, mixed_cells
from graphattn.data.generated.chains import chains, transition_matrix
from graphattn.data.generated.digits import digit_images, mnist_images, shifted
from graphattn.data.generated.distant import distant
from graphattn.data.generated.motif import motif
from graphattn.data.generated.n_back import n_back
from graphattn.data.generated.questions import Question, arithmetic, place_values
from graphattn.data.generated.scenes import scene
from graphattn.data.generated.shuffled import shuffled_edges

__all__ = [
    "Question",
    "arithmetic",
    "chains",
    "counted_cells",
    "digit_images",
    "distant",
    "mixed_cells",
    "mnist_images",
    "motif",
    "n_back",
    "place_values",
    "scene",
    "shifted",
    "shuffled_edges",
    "sparse_and",
    "transition_matrix",
    "two_rules",
    "xor",
]
