import pytest
import torch


@pytest.fixture
def transformers():
    return pytest.importorskip("transformers", reason="needs pip install 'graphattn[convert]'")


@pytest.fixture
def stirred():
    """Draws all parameters anew, so that no bias is zero, no norm is one, and attention is far from uniform."""

    def stir(module):
        with torch.no_grad():
            for parameter in module.parameters():
                parameter.normal_(0, 0.4)
        return module.double().eval()

    return stir


@pytest.fixture
def assert_gradients_equal():
    """Gradients of two results by one tensor each: of the original's parameters, and of their copies."""

    def check(ours, own, theirs, other):
        for mine, its in zip(
            torch.autograd.grad(ours.sin().sum(), own), torch.autograd.grad(theirs.sin().sum(), other), strict=True
        ):
            torch.testing.assert_close(mine, its, rtol=1e-9, atol=1e-9)

    return check
