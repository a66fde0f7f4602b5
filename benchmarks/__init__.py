"""Tools that measure graphattn against its peers, with the records of what was measured.

Run from the repository's root: ``python -m benchmarks.kernels``, ``.molecules``, ``.comparison``, ``.cuda``; the folders' README.md
tell how. What users time on their own machine is ``graphattn bench``.
"""
