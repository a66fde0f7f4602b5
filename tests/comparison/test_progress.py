import io
from dataclasses import replace

import numpy as np
import pytest
from rich.console import Console

from graphattn.comparison.fits.fitting import FitOrder
from graphattn.comparison.fits.running import FitEvent
from graphattn.comparison.progress import ProgressDisplay
from graphattn.comparison.record import Fit, FitRecord
from graphattn.data.splits import Split
from graphattn.models.by_name.network import Size
from graphattn.models.by_name.topologies import Configuration

SPLIT = Split(*np.arange(3).reshape(3, 1))


def order(layer, split):
    fit = Fit("p", layer, "edges", split, 0, "model")
    return FitOrder(fit, SPLIT, Configuration(layer, "edges"), Size(8, 8))


ORDERS = [order(layer, split) for split in range(2) for layer in ("attention", "gcn")]


def record(number, score=0.75, seconds=30.0, **more):
    given = {"seconds": seconds, "seconds_per_epoch": 0.5, "peak_mib": 12.0, "parameters": 4321}
    return FitRecord(ORDERS[number].fit, "ok", "ROC-AUC", score=score, **given, **more)


def console(terminal=False):
    return Console(file=io.StringIO(), width=150, force_terminal=terminal, color_system=None)


def test_fits_are_lines_where_no_table_moves_and_in_the_file(tmp_path):
    shown, log = console(), tmp_path / "log.txt"
    with ProgressDisplay(ORDERS, [], 1, shown, log) as watch:
        watch.print("scores [of] test parts")
        watch.see(FitEvent(ORDERS[0]))
        watch.see(FitEvent(ORDERS[0], record(0)))
        watch.see(FitEvent(ORDERS[1], replace(record(1), status="failed", score=None, reason="it diverged")))
        bounded = record(2, chance=[0.25, 0.5], reason="memory ran out")
        watch.see(FitEvent(ORDERS[2], bounded))
    lines = shown.file.getvalue().splitlines()
    assert lines[0] == "scores [of] test parts"
    assert lines[1] == "1 of 4: attention on edges, part 1: ROC-AUC 0.750 in 30.0 s; about 0:01:30 left"
    assert lines[2] == "2 of 4: gcn on edges, part 1: failed: it diverged; about 0:01:00 left"
    assert lines[3].startswith(
        "3 of 4: attention on edges, part 2: ROC-AUC 0.750, by chance 0.250 to 0.500 in 30.0 s (memory"
    )
    assert [line.split(" ", 1)[1] for line in log.read_text().splitlines()] == lines


def test_a_table_moves_in_a_terminal(tmp_path):
    shown, log = console(terminal=True), tmp_path / "log.txt"
    with ProgressDisplay(ORDERS, [record(0, 0.5)], 1, shown, log) as watch:
        watch.see(FitEvent(ORDERS[1]))
        watch.see(FitEvent(ORDERS[2], record(2, 1.0)))
        watch.live.refresh()
    text = shown.file.getvalue()
    for words in (
        "attention on edges",
        "2/2",
        "0.750 ± 0.354",
        "0.50",
        "4,321",
        "gcn on edges",
        "0/2",
        "part 1",
        "Ctrl-C stops",
    ):
        assert words in text
    assert "2 of 4 fits" in text
    assert "attention on edges, part 2: ROC-AUC 1.000" in log.read_text()
    assert "attention on edges, part 2: ROC-AUC 1.000" not in text


def test_failed_fits_stand_in_the_table():
    shown = console(terminal=True)
    failed = FitRecord(ORDERS[0].fit, "failed", "ROC-AUC", reason="it diverged")
    with ProgressDisplay(ORDERS, [failed], 1, shown) as watch:
        watch.live.refresh()
    assert "1 failed: it diverged" in shown.file.getvalue()


@pytest.mark.parametrize(("jobs", "left"), [(0, 50), (1, 50), (2, 25)])
def test_the_time_left_is_by_fits_of_the_same_name(jobs, left):
    watch = ProgressDisplay(ORDERS, [record(0, seconds=30), record(1, seconds=20)], jobs, console())
    assert watch.seconds_left() == left
    assert watch.left() == f"about 0:00:{left} left"


def test_the_time_of_what_was_never_fitted_is_that_of_the_others():
    assert ProgressDisplay(ORDERS, [record(0, seconds=10)], 1, console()).seconds_left() == 30
    baseline = FitOrder(Fit("p", "majority", "", 0, 0, "baseline"), SPLIT)
    assert ProgressDisplay([*ORDERS, baseline], [], 1, console()).seconds_left() == 2
    done = [record(number) for number in range(4)]
    assert ProgressDisplay(ORDERS, done, 1, console()).left() == "nothing is left"
