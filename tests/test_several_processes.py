"""Two processes train as one does: gradients of DistributedDataParallel are those of all data."""

import subprocess
import sys

import pytest
import torch
from torch.testing import assert_close

# Both ranks, and the process that knows all data, run this; what differs is who hears which graphs.
RANK = """
import sys
import torch
from torch import nn
from graphattn import Edges, SelfAttention
from graphattn.pyg import GATConv, calls

class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv, self.attention = GATConv(4, 8, heads=2), SelfAttention(16, heads=2)

    def forward(self, x, edge_index):
        return self.attention(self.conv(x, edge_index).relu(), Edges(edge_index, x.size(0)))

def graph(number):
    drawn = torch.Generator().manual_seed(number)
    nodes = 3 + number
    return (torch.randn(nodes, 4, generator=drawn, dtype=torch.float64),
            torch.randint(nodes, (2, 4 * nodes), generator=drawn))

def train(model, numbers):
    for _ in range(2):  # an unused parameter is an error of the second step
        model.zero_grad()
        sum(model(*graph(number)).sin().sum() for number in numbers).backward()
    return [parameter.grad for parameter in model.parameters()]

folder, rank = sys.argv[1], int(sys.argv[2])
torch.manual_seed(rank)  # DDP sends the first rank's parameters to all
model = Net().double()
torch.distributed.init_process_group("gloo", init_method=f"file://{folder}/store", rank=rank, world_size=2)
parallel = nn.parallel.DistributedDataParallel(model)
torch.save(train(parallel, [2 * rank, 2 * rank + 1]), f"{folder}/gradients{rank}")
assert calls()["GATConv"].theirs == {}
if rank == 0:
    torch.save([gradient / 2 for gradient in train(model, range(4))], f"{folder}/truth")
torch.distributed.barrier()
torch.distributed.destroy_process_group()
"""


@pytest.mark.skipif(
    not (torch.distributed.is_available() and torch.distributed.is_gloo_available()), reason="gloo is missing"
)
def test_gradients_of_two_processes_are_those_of_one(tmp_path):
    script = tmp_path / "rank.py"
    script.write_text(RANK)
    ranks = [
        subprocess.Popen(
            [sys.executable, script, tmp_path, str(rank)], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
        )
        for rank in range(2)
    ]
    try:
        for rank in ranks:
            printed, _ = rank.communicate(timeout=120)
            assert rank.returncode == 0, printed
    finally:
        for rank in ranks:
            rank.kill()
    truth, *both = (torch.load(tmp_path / name) for name in ("truth", "gradients0", "gradients1"))
    assert len(truth) == 12
    assert all(gradient.any() for gradient in truth[:4])
    for gradients in both:
        assert_close(gradients, truth, rtol=1e-9, atol=1e-9)
