"""Update: what a node becomes, from its own state and what it heard."""

from graphattn.update.combined import AddByPlace, AddSelf, Beside, ProjectBoth, Recur, UpdateThen
from graphattn.update.gated import GatedRoot
from graphattn.update.mean_heads import MeanHeads
from graphattn.update.plain import AddRoot, Project, Replace

__all__ = [
    "AddByPlace",
    "AddRoot",
    "AddSelf",
    "Beside",
    "GatedRoot",
    "MeanHeads",
    "Project",
    "ProjectBoth",
    "Recur",
    "Replace",
    "UpdateThen",
]
