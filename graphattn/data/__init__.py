"""Anything to PyTorch Geometric graphs: molecules, and the tables and files they come in."""
