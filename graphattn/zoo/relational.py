"""Convolutions with a weight for each type of edge: relations, offsets on a grid, places of nodes."""

from __future__ import annotations

from collections.abc import Callable

from graphattn.aggregation import RelationMean, Sum
from graphattn.counts import must_be_counts
from graphattn.layer import GraphLayer
from graphattn.message import ByPlace, EachRelation, Kernel, Relation, RelationWeight
from graphattn.slots import Aggregation
from graphattn.update import AddByPlace, AddRoot, Replace
from graphattn.zoo.channels import channels_of_both, must_be_one_number


def RGCN(  # noqa: N802  named as the field names the layer
    in_channels: int | tuple[int, int],
    out_channels: int,
    relations: int,
    weight: Callable[[int, int, int], RelationWeight] = EachRelation,
    aggregation: Aggregation | None = None,
    root_weight: bool = True,
    bias: bool = True,
) -> GraphLayer:
    r"""Relational graph convolution (Schlichtkrull et al. 2018): a mean over the neighbours of each relation.

    .. math:: x_i' = W_0 x_i + b + \sum_r \frac{1}{|N_r(i)|} \sum_{j \in N_r(i)} W_r x_j

    The types of edges are ``edge["edge_type"]``, or the topology's. PyG's ``aggr="max"`` listens before the weight is applied,
    relation by relation, which no message of one edge can say.

    Args:
        in_channels, out_channels: channels of a node before, or ``(senders, receivers)``, and after.
        relations: number of relations.
        weight: makes the weights of all relations from channels in, out, and relations. PyG's ``num_bases=4`` is
            ``functools.partial(Bases, bases=4)``, ``num_blocks=4`` is ``partial(Blocks, blocks=4)``.
        aggregation: instead of the mean of each relation; PyG's ``aggr="add"`` is ``Sum()``.
        root_weight: whether there is a ``W_0``.
        bias: whether there is a ``b``.

    >>> edge_index, edge_type = torch.tensor([[0, 1], [1, 0]]), torch.tensor([0, 2])
    >>> RGCN(4, 2, relations=3)(torch.randn(2, 4), edge_index, {"edge_type": edge_type}).shape
    torch.Size([2, 2])
    """
    sender, receiver = channels_of_both(in_channels, "RGCN")
    must_be_counts("RGCN", out_channels=out_channels, relations=relations)
    root = AddRoot(receiver, out_channels, bias) if root_weight else Replace(out_channels if bias else None)
    message = Relation(weight(sender, out_channels, relations))
    return GraphLayer(message, aggregation or RelationMean(relations), root, name="RGCN")


def GridConv(  # noqa: N802
    in_channels: int, out_channels: int, kernel_size: int | tuple[int, ...], groups: int = 1, bias: bool = True
) -> GraphLayer:
    r"""A convolution as a graph layer: a weight for each offset on a grid, ``torch.nn.Conv1d`` and ``Conv2d``.

    .. math:: x_i' = \sum_{j \in N(i)} W_{j - i}\, x_j + b

    Who hears whom is the topology's, :class:`~graphattn.topology.Grid` or :class:`~graphattn.topology.Line`: stride, dilation,
    padding, and wrapping around (``padding_mode="circular"``). The weight has the layout of torch's convolutions. Where
    receivers are other nodes than senders, give ``x=(pixels, None)``.

    Args:
        in_channels, out_channels: channels of a pixel before and after.
        kernel_size: the kernel's extent; a single number is that of a one-dimensional kernel.
        groups: groups of channels that never mix.
        bias: whether there is a ``b``.

    >>> from graphattn.topology import Grid
    >>> image = torch.randn(4, 5, 5)
    >>> layer = GridConv(4, 2, kernel_size=(3, 3))
    >>> layer((image.flatten(1).T, None), Grid(5, 5, kernel_size=3, stride=2, padding=1)).T.unflatten(1, (3, 3)).shape
    torch.Size([2, 3, 3])
    """
    must_be_one_number(in_channels, "GridConv")
    extent = tuple(kernel_size) if isinstance(kernel_size, (tuple, list)) else (kernel_size,)
    for taps in extent:
        must_be_counts("GridConv", out_channels=out_channels, kernel_size=taps, groups=groups)
    message = Relation(Kernel(in_channels, out_channels, extent, groups))
    return GraphLayer(message, Sum(), Replace(out_channels if bias else None), name="GridConv")


def TokenMixing(places: int, receiver_places: int | None = None, bias: bool = True) -> GraphLayer:  # noqa: N802
    r"""A linear map over the nodes of a graph, the same for each channel: half of MLP-Mixer's (Tolstikhin et al. 2021).

    .. math:: x_i' = \sum_{j \in N(i)} T_{p(i),\, p(j)}\, x_j + b_{p(i)}

    On ``Full`` graphs in which each node has a fixed place. Without a bias, graphs may have fewer nodes than places.

    Args:
        places: how many places senders have.
        receiver_places: how many places receivers have; as many if not given.
        bias: whether there is a ``b``; then each graph has exactly as many receivers as there are places.

    >>> TokenMixing(3)(torch.randn(6, 4), Full([3, 3])).shape
    torch.Size([6, 4])
    """
    must_be_counts("TokenMixing", places=places, receiver_places=receiver_places)
    update = AddByPlace(receiver_places or places) if bias else Replace()
    return GraphLayer(ByPlace(places, receiver_places), Sum(), update, name="TokenMixing")
