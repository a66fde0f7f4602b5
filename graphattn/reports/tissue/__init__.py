"""The report of one model of tissue: data, patients apart, figures, curves, the worst images drawn, in one HTML file."""

from graphattn.reports.tissue.page import write_report

__all__ = ["write_report"]
