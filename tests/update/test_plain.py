import pytest
import torch
from torch.testing import assert_close

from graphattn.update import AddRoot, Project, Replace

HEARD = torch.randn(3, 2, 4)


def test_replace_lays_heads_side_by_side_and_adds_its_bias():
    assert torch.equal(Replace()(None, HEARD), HEARD.reshape(3, 8))
    update = Replace(bias=8)
    assert torch.equal(update(None, HEARD), HEARD.reshape(3, 8))
    torch.nn.init.constant_(update.bias, 2)
    assert_close(update(None, HEARD), HEARD.reshape(3, 8) + 2)
    update.reset_parameters()
    assert not update.bias.any()


def test_project_and_root():
    project, x = Project(8, 5), torch.randn(3, 6)
    assert_close(project(None, HEARD), HEARD.reshape(3, 8) @ project.linear.weight.T + project.linear.bias)
    root = AddRoot(6, 8, bias=False)
    assert_close(root(x, HEARD), x @ root.linear.weight.T + HEARD.reshape(3, 8))
    for update in (project, root):
        before = update.linear.weight.clone()
        update.reset_parameters()
        assert not torch.equal(before, update.linear.weight)


def test_a_root_needs_a_state():
    with pytest.raises(ValueError, match="expected receivers with a state to keep, got x_i=None"):
        AddRoot(6, 8)(None, HEARD)
