r"""EdgeConv with one linear map, split into a part of receivers and one of senders.

.. math:: W (x_i \| x_j - x_i) + b = p_i + r_j \qquad p_i = W (x_i \| -x_i) + b \qquad r_j = W (0 \| x_j)
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional
from torch_geometric.nn import Linear

from graphattn.aggregation import Max, Min, Sum
from graphattn.message import Difference
from graphattn.slots import Aggregation, Inputs
from graphattn.topology import Edges


def why_not_split(message: Difference, inputs: Inputs) -> list[str]:
    """Why the message is no sum of a part of the receiver and one of the sender."""
    reasons = []
    if not isinstance(message.network, nn.Linear | Linear):
        reasons.append(f"needs a network of one linear map, got {type(message.network).__name__}")
    if inputs.seed is not None:
        reasons.append("needs messages of which none is dropped")
    if torch.is_autocast_enabled("cpu"):
        reasons.append("needs messages of the precision of x, got autocast")
    return reasons


def heard_split(message: Difference, aggregation: Aggregation, graph: Edges, inputs: Inputs) -> Tensor:
    """What every receiver hears, ``[N_i, 1, C]``; nothing where it hears nobody."""
    from graphattn.backends.cpu.extreme_functions import largest
    from graphattn.backends.cpu.functions import weighted_sum

    network, x_i, x_j = message.network, inputs.receivers["x"], inputs.senders["x"]
    assert isinstance(network, nn.Linear | Linear)
    own = network(torch.cat([x_i, -x_i], dim=-1)).unsqueeze(1)
    said = functional.linear(x_j, network.weight[:, x_j.size(-1) :]).unsqueeze(1)
    each, degree = said.new_ones(graph.num_edges, 1), graph.by_receiver().ptr.diff().to(said.dtype)[:, None, None]
    if isinstance(aggregation, Sum):
        return degree * own + weighted_sum(each, said, graph)
    if isinstance(aggregation, Max):
        heard = largest(each, said, graph)
    elif isinstance(aggregation, Min):
        heard = -largest(-each, said, graph)
    else:
        heard = weighted_sum(each, said, graph) / degree.clamp(min=1)
    return torch.where(degree > 0, own + heard, 0)
