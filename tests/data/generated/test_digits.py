import gzip
from urllib.error import URLError

import numpy as np
import pytest
import sklearn.datasets
import torch

from graphattn.data.generated.digits import mnist_images, shifted


def idx(values):
    header = bytes([0, 0, 8, values.ndim]) + np.array(values.shape, ">i4").tobytes()
    return header + values.astype(np.uint8).tobytes()


@pytest.fixture
def folder(tmp_path):
    rng = np.random.default_rng(0)
    for part, count in (("train", 3), ("t10k", 2)):
        (tmp_path / f"{part}-images-idx3-ubyte").write_bytes(idx(rng.integers(0, 256, (count, 28, 28))))
        (tmp_path / f"{part}-labels-idx1-ubyte.gz").write_bytes(gzip.compress(idx(np.arange(count) + count)))
    return tmp_path


def test_mnist_is_read_from_plain_and_packed_files(folder):
    images, labels = mnist_images(folder)
    assert images.shape == (5, 1, 28, 28)
    assert labels.tolist() == [3, 4, 5, 2, 3]
    held = np.random.default_rng(0).integers(0, 256, (3, 28, 28))
    torch.testing.assert_close(images[:3, 0], torch.tensor(held, dtype=torch.float32) / 255)


def test_mnist_is_fetched_where_there_is_no_folder(monkeypatch):
    pixels = np.random.default_rng(0).integers(0, 256, (4, 784))
    monkeypatch.setattr(sklearn.datasets, "fetch_openml", lambda name, **_: (pixels, np.array(["5", "0", "4", "1"])))
    images, labels = mnist_images()
    assert labels.tolist() == [5, 0, 4, 1]
    torch.testing.assert_close(images.flatten(1), torch.tensor(pixels, dtype=torch.float32) / 255)


def test_what_keeps_from_openml_is_said_and_what_does_without(monkeypatch):
    def unreachable(*_, **__):
        raise URLError("no such host")

    monkeypatch.setattr(sklearn.datasets, "fetch_openml", unreachable)
    with pytest.raises(ConnectionError, match=r"OpenML, got .*no such host.*; give a folder of its four files"):
        mnist_images()


def test_a_missing_file_is_named(folder):
    (folder / "t10k-images-idx3-ubyte").unlink()
    with pytest.raises(FileNotFoundError, match=r"t10k-images-idx3-ubyte\.gz, got neither"):
        mnist_images(folder)


@pytest.mark.parametrize("held", [b"", b"abcd", idx(np.zeros((2, 28, 28)))[:-1], idx(np.zeros(5))])
def test_a_damaged_file_is_named(folder, held):
    (folder / "train-images-idx3-ubyte").write_bytes(held)
    first = str(list(held[:4])).replace("[", r"\[")
    with pytest.raises(ValueError, match=rf"train-images-idx3-ubyte, got {len(held)} bytes that begin with {first}"):
        mnist_images(folder)


def test_what_leaves_on_one_side_comes_back_on_the_other():
    image = torch.arange(6).view(2, 3)
    assert shifted(image, 1, 1).tolist() == [[5, 3, 4], [2, 0, 1]]
