"""Random files of molecules: every row is used, or set aside with a reason; or the file is refused in words."""

from tests.robustness.tables.__main__ import run


def test_every_row_of_random_files_is_accounted_for():
    counts, failures = run(rows=400, seed=0)
    assert failures == []
    assert counts["used"] + counts["aside"] + counts["refused"] == counts["tried"] >= 400
    assert counts["used"] > 50
    assert counts["aside"] > 50
