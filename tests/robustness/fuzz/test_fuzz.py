"""A few of the random cases; ``python -m tests.robustness.fuzz`` runs as many as one has time for."""

import pytest

from tests.robustness.fuzz.failures import KINDS, failures
from tests.robustness.fuzz.known import FAULTS, excused

PARTS = 10


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("part", range(PARTS))
def test_random_cases(kind, part):
    for number in range(part, 200, PARTS):
        draw, told = failures(kind, 0, number)
        assert not told or excused(str(draw), told), f"case {number}: {draw}: {told}"


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.why[:40])
def test_what_is_known_is_there_still(fault):
    draw, told = failures(fault.example[0], 0, fault.example[1])
    assert told, f"mended? delete it from FAULTS: {fault.why}"
    assert excused(str(draw), told) == fault.why
