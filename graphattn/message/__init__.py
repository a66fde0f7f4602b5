"""Message: what is said on one edge. Projected once per node, spoken once per edge.

Letters: ``E`` edges, ``H`` heads, ``C`` channels per head, ``F`` channels of a node.
"""

from graphattn.message.add_edge import AddEdge
from graphattn.message.attend import Attend, Heads
from graphattn.message.by_place import ByPlace
from graphattn.message.concatenate import Concatenate
from graphattn.message.difference import Difference
from graphattn.message.gated import Gated
from graphattn.message.gram import Gram
from graphattn.message.own_score import OwnScore
from graphattn.message.relation import Relation, RelationWeight
from graphattn.message.relation_weights import Bases, Blocks, EachRelation, Kernel
from graphattn.message.say import Copy
from graphattn.message.scaled import Scale, Scaled, as_weighted, by_row, symmetric
from graphattn.message.towers import Repeat, SplitHeads, Towers

__all__ = [
    "AddEdge",
    "Attend",
    "Bases",
    "Blocks",
    "ByPlace",
    "Concatenate",
    "Copy",
    "Difference",
    "EachRelation",
    "Gated",
    "Gram",
    "Heads",
    "Kernel",
    "OwnScore",
    "Relation",
    "RelationWeight",
    "Repeat",
    "Scale",
    "Scaled",
    "SplitHeads",
    "Towers",
    "as_weighted",
    "by_row",
    "symmetric",
]
