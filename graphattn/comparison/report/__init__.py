"""One HTML file of a comparison: the verdict first, then tables and drawings; nothing is fetched from anywhere."""

from graphattn.comparison.report.page import write_report

__all__ = ["write_report"]
