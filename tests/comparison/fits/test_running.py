"""Fits one after the other and in processes: the same results, whatever happens to one."""

import os
import signal
import time
from dataclasses import asdict, replace
from multiprocessing import get_context

import numpy as np
import pytest
import torch
from torch_geometric.data import Data

from graphattn.comparison.fits import running
from graphattn.comparison.fits.fitting import FitOrder
from graphattn.comparison.fits.running import FitRunner, run
from graphattn.comparison.problems.base import Problem
from graphattn.comparison.record import Fit, FitRecord
from graphattn.comparison.settings import Settings
from graphattn.data.splits import Split
from graphattn.models.by_name.network import Size
from graphattn.models.by_name.topologies import Configuration

SETTINGS = Settings(epochs=2, batch_size=16)
SPLIT = Split(np.arange(20), np.arange(20, 30), np.arange(30, 40))
MEASURED = {"seconds_per_epoch", "graphs_per_second", "seconds", "date"}


def problem():
    generator = torch.Generator().manual_seed(0)
    pair = torch.tensor([[0, 1], [1, 0]])
    graphs = [
        Data(x=torch.randn(2, 3, generator=generator) + k % 2, edge_index=pair, y=torch.tensor([k % 2]))
        for k in range(40)
    ]
    return Problem("made", graphs, "binary", ("no", "yes"))


def orders():
    configurations = [Configuration("attention", "edges"), Configuration("gcn", "full")]
    size = Size(8, 8, depth=1, heads=2)
    fits = [FitOrder(Fit("made", "logistic regression", "", 0, 1, "baseline"), SPLIT)]
    fits += [
        FitOrder(Fit("made", *configuration, 0, 1, "model"), SPLIT, configuration, size)
        for configuration in configurations
    ]
    return [*fits, FitOrder(Fit("made", *configurations[0], 0, 1, "permuted"), SPLIT, configurations[0], size)]


def lasting(record):
    # Tensors of a step are equal in every run; what a process grows by is not.
    measured = MEASURED | ({"peak_mib"} if record.fit.role == "baseline" else set())
    return {name: value for name, value in asdict(record).items() if name not in measured}


def ended(events):
    return {event.order.fit.name: event.record for event in events if event.record is not None}


def test_results_are_the_same_for_any_number_of_jobs():
    alone = list(run(FitRunner(problem(), SETTINGS), orders()))
    assert [(event.order.fit.name, event.record is None) for event in alone] == [
        (order.fit.name, begun) for order in orders() for begun in (True, False)
    ]
    together = ended(run(FitRunner(problem(), SETTINGS), orders(), jobs=2))
    assert set(together) == {order.fit.name for order in orders()}
    for name, record in ended(alone).items():
        assert record.status == "ok", record.reason
        assert lasting(together[name]) == lasting(record)
    permuted = together["attention on edges, labels permuted"]
    assert permuted.score != together["attention on edges"].score
    assert len(permuted.chance) == 2


def test_one_that_fails_does_not_stop_the_rest():
    bad = replace(orders()[1], size=Size(8, 8, depth=1, heads=8), configuration=Configuration("gin", "no such"))
    strange = FitOrder(Fit("made", "oracle", "", 0, 1, "baseline"), SPLIT)
    found = [event.record for event in run(FitRunner(problem(), SETTINGS), [bad, strange, orders()[0]]) if event.record]
    assert [record.status for record in found] == ["failed", "failed", "ok"]
    assert "no such" in found[0].reason
    assert "expected a baseline among" in found[1].reason


class Killed:
    """A bench on which fits of one configuration are killed, as Linux does where memory runs out."""

    def __init__(self, bench, least):
        self.bench, self.least = bench, least
        self.problem, self.settings = bench.problem, bench.settings

    def work(self, order):
        if order.configuration == Configuration("gcn", "full") and (order.batch_size or 16) > self.least:
            os.kill(os.getpid(), signal.SIGKILL)
        record = running.started(self.problem, order, self.settings)
        return replace(record, status="ok", score=0.5)


@pytest.fixture
def crew(monkeypatch):
    """Processes without the time that it takes to begin them anew: forked, which is safe for one thread without a kernel."""
    monkeypatch.setattr(running, "get_context", lambda name: get_context("fork"))


@pytest.mark.parametrize(("least", "batch", "status"), [(4, 4, "ok"), (0, 1, "failed")])
def test_a_killed_process_is_begun_anew_with_half_the_batch(crew, least, batch, status):
    found = ended(run(Killed(FitRunner(problem(), SETTINGS), least), orders(), jobs=2))
    assert set(found) == {order.fit.name for order in orders()}
    killed = found.pop("gcn on full")
    assert (killed.batch_size, killed.status) == (batch, status)
    assert ("its process ended with status -9" in killed.reason) == (status == "failed")
    assert {record.status for record in found.values()} == {"ok"}


class UnreadableError:
    """Cannot be read by the processes."""

    def __init__(self):
        self.problem, self.settings = problem(), SETTINGS

    def __reduce__(self):
        return exec, ("raise SystemExit(1)",)


def test_processes_that_cannot_begin_are_said(crew):
    with pytest.raises(ChildProcessError, match=r"ended with status 1 before it answered; a script .* '__main__'"):
        list(run(UnreadableError(), orders(), jobs=1))


class Slow:
    """Works for a minute, and says so in a file."""

    def __init__(self, file):
        self.file, self.problem, self.settings = file, problem(), SETTINGS

    def work(self, order):
        self.file.write_text(str(os.getpid()))
        time.sleep(60)


def test_processes_end_with_who_waits_for_them(crew, tmp_path):
    file = tmp_path / "pid"
    events = run(Slow(file), orders()[:1], jobs=1)
    assert next(events).record is None
    deadline = time.monotonic() + 20
    while not (file.exists() and file.read_text()) and time.monotonic() < deadline:
        time.sleep(0.05)
    pid = int(file.read_text())
    events.close()
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)


def test_jobs_are_counted():
    with pytest.raises(ValueError, match="expected jobs of 0 or more, got -1"):
        list(run(FitRunner(problem(), SETTINGS), [], jobs=-1))
    assert list(run(FitRunner(problem(), SETTINGS), [], jobs=2)) == []
    assert isinstance(next(iter(ended(run(FitRunner(problem(), SETTINGS), orders()[:1])).values())), FitRecord)
