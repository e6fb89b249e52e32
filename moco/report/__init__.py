"""What a search found, for people: a table, plots, networks as graphs and one self-contained page."""

from moco.report.front import front_csv, front_json, front_table, trained_table
from moco.report.graph import network_figure
from moco.report.inputs import ReportInputs
from moco.report.write import write_report

__all__ = ["ReportInputs", "front_csv", "front_json", "front_table", "network_figure", "trained_table", "write_report"]
