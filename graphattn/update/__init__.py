"""Update: what a node becomes, from its own state and what it heard."""

from graphattn.update.plain import AddRoot, Project, Replace

__all__ = ["AddRoot", "Project", "Replace"]
