"""Readers of the files that programs write: a module a format, each a function from a path to ``FileCells``."""
