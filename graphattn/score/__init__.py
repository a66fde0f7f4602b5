"""Score: similarity of a receiver and a sender."""

from graphattn.score.scaled_dot import ScaledDot

__all__ = ["ScaledDot"]
