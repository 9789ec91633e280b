"""Rate-distortion evaluation: run codecs over images, average, compare, plot.

results = evaluate("images", codec=find_codec("jpeg"), points=[30, 60, 90], results="results")
write_report(aggregate(results), "jpeg.json")
bd_rate(load_curve("ours.json"), load_curve("jpeg.json"), psnr_range_db=(28, 39))
"""

from pranc_codec.evaluate.codecs import Codec, Setting, Settings, find_codec
from pranc_codec.evaluate.plot import plot_curves
from pranc_codec.evaluate.report import (
    BdRate,
    Curve,
    aggregate,
    bd_rate,
    load_curve,
    write_report,
)
from pranc_codec.evaluate.run import evaluate
from pranc_codec.evaluate.store import Result
from pranc_codec.metrics import psnr_db

__all__ = [
    "BdRate",
    "Codec",
    "Curve",
    "Result",
    "Setting",
    "Settings",
    "aggregate",
    "bd_rate",
    "evaluate",
    "find_codec",
    "load_curve",
    "plot_curves",
    "psnr_db",
    "write_report",
]
