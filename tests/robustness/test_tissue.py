"""Files of cells that were truncated or changed are read or refused in one line, and no cell is lost."""

import pytest

from tests.robustness.tissue.__main__ import failure


@pytest.mark.parametrize("first", range(0, 60, 15))
def test_spoiled_files_are_told_and_lose_nobody(first, tmp_path):
    assert [said for number in range(first, first + 15) if (said := failure(number, 0, tmp_path))] == []
