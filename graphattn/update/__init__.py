"""Update: what a node becomes, from its own state and what it heard."""

from graphattn.update.gated import GatedRoot
from graphattn.update.mean_heads import MeanHeads
from graphattn.update.plain import AddRoot, Project, Replace

__all__ = ["AddRoot", "GatedRoot", "MeanHeads", "Project", "Replace"]
