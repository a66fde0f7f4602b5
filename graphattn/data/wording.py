"""Names in messages of one line, and the name that no file has."""

from collections.abc import Iterable

STANDARD_STREAM = "-"
"""Name of standard input among the files that are read, and of standard output among those that are written."""

_LONGEST = 40


def listed(names: Iterable[str], last: str = "and", most: int = 20) -> str:
    """Names in quotes, at most the first ``most``, cut if they are long.

    >>> listed(["smiles", "label"], "or"), listed("abcd", most=2)
    ("'smiles' or 'label'", "'a', 'b' and 2 more")
    """
    quoted = [repr(name if len(name) <= _LONGEST else f"{name[:_LONGEST]}...") for name in names]
    if len(quoted) > most:
        quoted = [*quoted[:most], f"{len(quoted) - most:,} more"]
    return f" {last} ".join(filter(None, (", ".join(quoted[:-1]), *quoted[-1:])))


def shortened(text: str, most: int = 60) -> str:
    """The beginning of a long text.

    >>> shortened("CCCCCC", most=4)
    'CCCC...'
    """
    return text if len(text) <= most else f"{text[:most]}..."


def list_problems(problems: dict[int, str], most: int = 5) -> str:
    """Positions and reasons in one line, the first ``most`` of them.

    >>> list_problems({3: "no atoms", 8: "no atoms"}, most=1)
    'position 3: no atoms; and 1 more'
    """
    shown = [f"position {position}: {reason}" for position, reason in list(problems.items())[:most]]
    more = [f"and {len(problems) - most} more"] if len(problems) > most else []
    return "; ".join(shown + more)
