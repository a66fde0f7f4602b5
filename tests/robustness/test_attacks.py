"""No lie, and no write into what a layer was given, ends the process or gets a wrong answer."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


def said(*arguments):
    """What a process of its own prints, with one thread."""
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    command = [sys.executable, *arguments]
    return subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True).stdout.splitlines()


def test_no_attack_ends_the_process_or_gets_a_wrong_answer():
    *wrong, count = said("-m", "tests.robustness.attacks")
    assert wrong == []
    assert int(count.split()[0]) > 800


OUTCOMES = {
    "lambda: 'was'": "was",
    "lambda: [][0]": "IndexError: list index out of range",
    "lambda: __import__('ctypes').string_at(0)": "ended by SIGSEGV",
    "lambda: __import__('os').abort()": "ended by SIGABRT",
    "lambda: __import__('os')._exit(3)": "ended with 3",
    "lambda: str(len(bytearray(8 << 30)))": "MemoryError: ",
    "lambda: __import__('time').sleep(60)": "ended by SIGALRM",
}


@pytest.mark.parametrize("function", OUTCOMES)
def test_an_end_of_any_kind_is_told(function):
    code = f"from tests.robustness import forked; forked.SECONDS = 1; print(forked.outcome({function}))"
    assert said("-c", code) == [OUTCOMES[function]]


def test_what_must_not_come_is_told():
    code = (
        "from tests.robustness.attacks.__main__ import Attack, run\n"
        "print(run(Attack('a', lambda: 'was', ('was',))))\n"
        "print(run(Attack('b', lambda: 'is', ('was', 'refused'))))\n"
        "print(run(Attack('c', lambda: int('x'), ('refused',))))\n"
        "from graphattn import Edges\n"
        "print(run(Attack('d', lambda: Edges([1]), ('refused',))))\n"
    )
    assert said("-c", code) == [
        "None",
        "b: expected was or refused, got is",
        "c: expected refused, got ValueError: invalid literal for int() with base 10: 'x'",
        "None",
    ]
