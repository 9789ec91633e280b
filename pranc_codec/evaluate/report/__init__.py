"""Reports: `aggregate` averages results, `report` reads them again, `curves` computes BD-rates.

`tables`, `plot`, `crops` and `page` present them, and `compare` combines these for `pranc report`.
"""

from pranc_codec.evaluate.report.aggregate import aggregate, write_report
from pranc_codec.evaluate.report.curves import BdRate, Curve, bd_rate
from pranc_codec.evaluate.report.plot import plot_curves
from pranc_codec.evaluate.report.report import Report, load_curve, load_report
from pranc_codec.evaluate.report.tables import BdTable, bd_table

__all__ = [
    "BdRate",
    "BdTable",
    "Curve",
    "Report",
    "aggregate",
    "bd_rate",
    "bd_table",
    "load_curve",
    "load_report",
    "plot_curves",
    "write_report",
]
