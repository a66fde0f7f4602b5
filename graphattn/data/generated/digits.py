"""Handwritten digits as images: those that come with scikit-learn, 8 x 8 pixels, and MNIST, 28 x 28."""

from __future__ import annotations

import gzip
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

_MNIST = ("train-images-idx3-ubyte", "t10k-images-idx3-ubyte", "train-labels-idx1-ubyte", "t10k-labels-idx1-ubyte")


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


def mnist_images(folder: str | Path | None = None) -> tuple[Tensor, Tensor]:
    """The 70,000 digits of MNIST (LeCun et al. 1998), those for training first: images from 0 to 1, and labels.

    Args:
        folder: of the four files ``train-images-idx3-ubyte`` and so on, as they are or as ``.gz``; if not given, scikit-learn
            fetches them from OpenML and keeps them.

    Shapes: ``[70000, 1, 28, 28]`` and ``[70000]``.

    Raises:
        FileNotFoundError: a file is not there.
        ConnectionError: OpenML cannot be reached.
        ValueError: a file that does not hold what its name says.
    """
    if folder is None:
        from sklearn.datasets import fetch_openml

        try:
            images, labels = fetch_openml("mnist_784", version=1, return_X_y=True, as_frame=False, parser="liac-arff")
        except OSError as error:
            raise ConnectionError(
                f"expected MNIST from OpenML, got {error}; give a folder of its four files"
            ) from error
        return torch.tensor(images, dtype=torch.float32).view(-1, 1, 28, 28) / 255, torch.tensor(labels.astype(int))
    train, test, train_labels, test_labels = (_read_idx(Path(folder), name) for name in _MNIST)
    images = torch.cat([train, test]).unsqueeze(1).float() / 255
    return images, torch.cat([train_labels, test_labels]).long()


def _read_idx(folder: Path, name: str) -> Tensor:
    """The bytes of an idx file: two zeros, the type 8, the number of axes, their lengths, the values."""
    plain, packed = folder / name, folder / f"{name}.gz"
    if not plain.is_file() and not packed.is_file():
        raise FileNotFoundError(f"expected {plain} or {packed}, got neither")
    held = plain.read_bytes() if plain.is_file() else gzip.decompress(packed.read_bytes())
    axes = int(name[-7])
    shape = np.frombuffer(held, ">i4", axes, offset=4) if len(held) >= 4 + 4 * axes else np.zeros(0, int)
    if held[:4] != bytes([0, 0, 8, axes]) or len(held) != 4 + 4 * axes + shape.prod():
        raise ValueError(
            f"expected an idx file of bytes with {axes} axes in {folder / name}, "
            f"got {len(held)} bytes that begin with {list(held[:4])}"
        )
    return torch.from_numpy(np.frombuffer(held, np.uint8, offset=4 + 4 * axes).reshape(shape).copy())


def shifted(images: Tensor, rows: int, columns: int) -> Tensor:
    """Images moved down and to the right, and what leaves on one side comes back on the other; ``[..., height, width]``.

    >>> shifted(torch.tensor([[1, 2, 3]]), 0, 1)
    tensor([[3, 1, 2]])
    """
    return images.roll((rows, columns), dims=(-2, -1))
