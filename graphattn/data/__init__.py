"""Anything to PyTorch Geometric graphs: molecules, the files they come in, and their splits.

Text and sound are in ``sequences``, images in ``images``, data made by rule in ``generated``; what follows is about molecules.

A file becomes a table, the table poses a task, and the rows that can be used become graphs:

>>> from graphattn.data import collect, guess_task, open_table
>>> table = open_table("solubility")
>>> task, sentence = guess_task(table.targets)
>>> sentence
"target 'solubility' has 3 classes: high (246), low (519), medium (517)"

``collect(table, task)`` then holds the graphs, and every row that was set aside with its line and the reason.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
