"""Tools that measure graphattn against its peers, with the records of what was measured.

Run from the repository's root: ``python -m benchmarks.kernels``, ``.molecules``, ``.comparison`` or ``.cuda``. The README.md of
each folder tells how. What users time on their own machine is ``graphattn bench``.
"""
