r"""Benchmarks that anyone can repeat: ``graphattn bench``.

A case (``cases/``) compares a step of ours with the same step of named peers in one process: results first, then peak memory,
then time, the sides in turn. Rows are kept as JSON, one a line, and a table (``table.py``) and a picture
(``plot.py``) are made of these.
"""

from graphattn.bench.timing import interleaved

__all__ = ["interleaved"]
