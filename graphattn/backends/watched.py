"""Whether somebody wants to see every edge."""

from __future__ import annotations

from torch_geometric.nn import MessagePassing

_STEPS = ("propagate", "message", "aggregate", "message_and_aggregate", "edge_update")
_HOOKS = tuple(f"_{step}_forward_{when}hooks" for step in _STEPS for when in ("pre_", ""))


def hooked(layer: MessagePassing) -> bool:
    """Whether one of PyG's hooks is registered."""
    # A plain loop: this runs on every call, and a compiler must read it.
    for hooks in _HOOKS:  # noqa: SIM110
        if getattr(layer, hooks):
            return True
    return False


def watched(layer: MessagePassing) -> list[str]:
    """A reason not to leave out the list of edges: an explainer, or one of PyG's hooks."""
    if layer.explain or hooked(layer):
        return ["an explainer or a hook is attached, which wants to see every edge"]
    return []
