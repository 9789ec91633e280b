"""Tables of BD-rates: several curves against one anchor."""

import csv
import io
from collections.abc import Sequence
from dataclasses import dataclass

from pranc_codec.errors import InvalidArgument
from pranc_codec.evaluate.report.curves import BdRate, bd_rate
from pranc_codec.evaluate.report.report import Report


@dataclass(frozen=True, kw_only=True)
class BdRow:
    """The BD-rate of a curve against the anchor, or a remark that says why there is none."""

    curve: str
    found: BdRate | None
    remark: str = ""

    def rate_text(self) -> str:
        """Return the BD-rate for people, or a dash."""
        return self.found.percent_text() if self.found else "-"

    def interval_text(self) -> str:
        """Return the interval for people, or the remark if there is no BD-rate."""
        return self.found.interval_text() if self.found else self.remark


@dataclass(frozen=True, kw_only=True)
class BdTable:
    """BD-rates against `anchor`, each with the interval of PSNR that it was taken over."""

    anchor: str
    psnr_range_db: tuple[float, float] | None
    rows: Sequence[BdRow]

    def caption(self) -> str:
        """Return a line that says what the numbers are."""
        wanted = (
            f"between {self.psnr_range_db[0]:g} and {self.psnr_range_db[1]:g} dB, or the part of "
            "it that both curves cover"
            if self.psnr_range_db
            else "over all that both curves cover"
        )
        return f"BD-rate of PSNR (RGB) against {self.anchor}, PCHIP, {wanted}"

    def markdown(self) -> str:
        """Return a Markdown table below its caption."""
        lines = [f"{self.caption()}:", "", "| curve | BD-rate | interval |", "|---|---|---|"]
        lines += [
            f"| {row.curve} | {row.rate_text()} | {row.interval_text()} |" for row in self.rows
        ]
        return "\n".join(lines) + "\n"

    def csv(self) -> str:
        """Return the same numbers with all digits, as comma-separated values."""
        text = io.StringIO()
        writer = csv.writer(text, lineterminator="\n")
        writer.writerow(["curve", "anchor", "bd_rate_percent", "low_db", "high_db", "remark"])
        for row in self.rows:
            numbers = (
                [row.found.percent, row.found.low_db, row.found.high_db] if row.found else [""] * 3
            )
            writer.writerow([row.curve, self.anchor, *numbers, row.remark])
        return text.getvalue()


def bd_table(
    reports: Sequence[Report],
    anchor: Report,
    *,
    psnr_range_db: tuple[float, float] | None = None,
) -> BdTable:
    """Compare each report with the anchor, sorted by BD-rate; reports without one come last.

    psnr_range_db: interval of PSNR for the BD-rates (all that both curves cover if None). A report
    over other images than the anchor's has no BD-rate.
    """
    rows = [_row(report, anchor, psnr_range_db) for report in reports if report is not anchor]
    rows.sort(key=lambda row: (row.found is None, row.found.percent if row.found else 0))
    return BdTable(anchor=anchor.name, psnr_range_db=psnr_range_db, rows=rows)


def _row(report: Report, anchor: Report, psnr_range_db: tuple[float, float] | None) -> BdRow:
    """Compare one report with the anchor, unless both name their images and these differ."""
    if report.images and anchor.images and report.images != anchor.images:
        counts = f"{len(report.images)} and {len(anchor.images)}"
        return BdRow(curve=report.name, found=None, remark=f"of other images ({counts})")
    try:
        found = bd_rate(report.curve(), anchor.curve(), psnr_range_db=psnr_range_db)
    except InvalidArgument as error:
        return BdRow(curve=report.name, found=None, remark=" ".join(str(error).split()))
    return BdRow(curve=report.name, found=found)
