"""Handwritten digits as images: those that come with scikit-learn, 8 x 8 pixels."""

from __future__ import annotations

import torch
from torch import Tensor


def digit_images() -> tuple[Tensor, Tensor]:
    """The 1,797 digits of scikit-learn (UCI, Alpaydin & Kaynak 1998): images from 0 to 1, and labels.

    Shapes: ``[1797, 1, 8, 8]`` and ``[1797]``. ``patches(images, size=2, y=labels)`` makes graphs of them.

    >>> images, labels = digit_images()
    >>> images.shape, labels[:4]
    (torch.Size([1797, 1, 8, 8]), tensor([0, 1, 2, 3]))
    """
    from sklearn.datasets import load_digits

    images, labels = load_digits(return_X_y=True)
    return torch.tensor(images, dtype=torch.float32).view(-1, 1, 8, 8) / 16, torch.tensor(labels)


def shifted(images: Tensor, rows: int, columns: int) -> Tensor:
    """Images moved down and to the right, and what leaves on one side comes back on the other; ``[..., height, width]``.

    >>> shifted(torch.tensor([[1, 2, 3]]), 0, 1)
    tensor([[3, 1, 2]])
    """
    return images.roll((rows, columns), dims=(-2, -1))
