"""Message: what is said on one edge. Projected once per node, spoken once per edge.

Letters: ``E`` edges, ``H`` heads, ``C`` channels per head, ``F`` channels of a node.
"""

from graphattn.message.attend import Attend, Heads
from graphattn.message.difference import Difference
from graphattn.message.gram import Gram
from graphattn.message.say import Copy
from graphattn.message.scaled import Scale, Scaled, as_weighted, symmetric

__all__ = ["Attend", "Copy", "Difference", "Gram", "Heads", "Scale", "Scaled", "as_weighted", "symmetric"]
