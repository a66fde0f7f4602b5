import pytest
import torch
from torch.testing import assert_close

from graphattn.update import AddRoot, GatedRoot, MeanHeads, Project, Replace

HEARD = torch.randn(3, 2, 4)


@pytest.mark.parametrize("update", [Replace(4), Project(4, 5), AddRoot(6, 4), GatedRoot(6, 4)])
def test_another_update_gets_the_mean_as_its_only_head(update):
    x = torch.randn(3, 6)
    assert_close(MeanHeads(update)(x, HEARD), update(x, ((HEARD[:, 0] + HEARD[:, 1]) / 2).unsqueeze(1)))


def test_the_update_inside_is_drawn_anew():
    update = MeanHeads(Project(4, 5))
    before = update.update.linear.weight.clone()
    update.reset_parameters()
    assert not torch.equal(before, update.update.linear.weight)
