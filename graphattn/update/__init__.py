"""Update: what a node becomes, from its own state and what it heard."""

from graphattn.update.combined import AddByPlace, AddSelf, Beside, ProjectBoth, Recur, Then
from graphattn.update.plain import AddRoot, Project, Replace

__all__ = ["AddByPlace", "AddRoot", "AddSelf", "Beside", "Project", "ProjectBoth", "Recur", "Replace", "Then"]
