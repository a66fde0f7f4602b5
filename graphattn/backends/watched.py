"""Whether somebody wants to see every edge."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from graphattn.layer import GraphLayer

_HOOKS = tuple(
    f"_{step}_forward_{when}hooks" for step in ("propagate", "message", "aggregate") for when in ("pre_", "")
)


def watched(layer: GraphLayer) -> list[str]:
    """A reason not to leave out the list of edges: an explainer, or one of PyG's hooks."""
    if layer.explain or any(getattr(layer, hooks) for hooks in _HOOKS):
        return ["an explainer or a hook is attached, which wants to see every edge"]
    return []
