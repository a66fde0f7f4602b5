"""Parameters of a known module paired with ours: copied over, and their gradients compared."""

import pytest
import torch
from torch import nn
from torch.testing import assert_close


class Twin:
    def __init__(self):
        self.pairs = []

    def module(self, theirs, ours):
        """Two modules whose parameters stand in the same order."""
        for its, mine in zip(theirs.parameters(), ours.parameters(), strict=True):
            self.pairs.append((its, [mine]))

    def attention(self, theirs, ours):
        """``nn.MultiheadAttention`` and a layer of ``Attend``."""
        own = [getattr(ours.message_function, name) for name in ("query", "key", "value")]
        if theirs.in_proj_weight is not None:
            self.pairs.append((theirs.in_proj_weight, [part.weight for part in own]))
        else:
            for name, part in zip(("q", "k", "v"), own, strict=True):
                self.pairs.append((getattr(theirs, f"{name}_proj_weight"), [part.weight]))
        self.pairs.append((theirs.in_proj_bias, [part.bias for part in own]))
        self.module(theirs.out_proj, ours.update_function.linear)

    def copy(self):
        """Draw their parameters anew, none of them zero or one, and give them to ours."""
        for its, mine in self.pairs:
            nn.init.normal_(its, std=0.5)
            with torch.no_grad():
                for part, chunk in zip(mine, its.chunk(len(mine)), strict=True):
                    part.copy_(chunk)

    def assert_equal(self, result, truth, *inputs):
        """Values, and gradients of the inputs and all parameters: float64, within 1e-9."""
        assert_close(result, truth, rtol=1e-9, atol=1e-9)
        theirs = [*inputs, *(its for its, _ in self.pairs)]
        ours = [*inputs, *(part for _, mine in self.pairs for part in mine)]
        truths = torch.autograd.grad(truth.sin().sum(), theirs)
        results = iter(torch.autograd.grad(result.sin().sum(), ours))
        counts = [1] * len(inputs) + [len(mine) for _, mine in self.pairs]
        for gradient, count in zip(truths, counts, strict=True):
            assert_close(torch.cat([next(results) for _ in range(count)]), gradient, rtol=1e-9, atol=1e-9)


@pytest.fixture
def twin():
    return Twin()
