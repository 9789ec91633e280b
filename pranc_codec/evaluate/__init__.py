"""Rate-distortion evaluation: run codecs over images, average the results, compare and plot them.

results = evaluate("images", codec=find_codec("jpeg"), points=[30, 60, 90], results="results")
write_report(aggregate(results), "jpeg.json")
bd_rate(load_curve("ours.json"), load_curve("jpeg.json"), psnr_range_db=(28, 39))
"""

from typing import TYPE_CHECKING, Any

from pranc_codec.errors import warn_renamed
from pranc_codec.evaluate.codecs.codec import Codec, Setting, Settings, Sweep
from pranc_codec.evaluate.codecs.registry import codec_names, find_codec, parse_sweep
from pranc_codec.evaluate.harness.run import Execution, evaluate, evaluate_all
from pranc_codec.evaluate.harness.store import Result
from pranc_codec.evaluate.report.aggregate import aggregate, write_report
from pranc_codec.evaluate.report.curves import BdRate, Curve, bd_rate
from pranc_codec.evaluate.report.plot import plot_curves
from pranc_codec.evaluate.report.report import Report, load_curve, load_report
from pranc_codec.evaluate.report.tables import BdTable, bd_table
from pranc_codec.metrics import psnr_db

__all__ = [
    "BdRate",
    "BdTable",
    "Codec",
    "Curve",
    "Execution",
    "Report",
    "Result",
    "Setting",
    "Settings",
    "Sweep",
    "aggregate",
    "bd_rate",
    "bd_table",
    "codec_names",
    "evaluate",
    "evaluate_all",
    "find_codec",
    "load_curve",
    "load_report",
    "parse_sweep",
    "plot_curves",
    "psnr_db",
    "write_report",
]

if TYPE_CHECKING:
    Machines = Execution
else:

    def __getattr__(name: str) -> Any:
        """Return `Execution` under its former name."""
        if name != "Machines":
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        warn_renamed("Machines", "Execution")
        return Execution
