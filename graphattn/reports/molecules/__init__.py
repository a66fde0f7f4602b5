"""The report of one molecule model: data and split, figures, calibration, errors, embedding and atoms, in one HTML file."""

from graphattn.reports.molecules.page import write_report

__all__ = ["write_report"]
