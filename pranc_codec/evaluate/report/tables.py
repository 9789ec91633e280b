"""BD-rates of several curves against an anchor, as a table."""

import csv
import io
from collections.abc import Sequence
from dataclasses import dataclass

from pranc_codec.errors import InvalidArgument
from pranc_codec.evaluate.report.curves import BdRate, bd_rate
from pranc_codec.evaluate.report.report import Report


@dataclass(frozen=True, kw_only=True)
class Row:
    """A curve against the anchor: its BD-rate, or why there is none."""

    curve: str
    found: BdRate | None
    remark: str = ""

    def rate(self) -> str:
        """For people: the BD-rate, or a dash."""
        return f"{self.found.percent:+.1f} %" if self.found else "-"

    def interval(self) -> str:
        """For people: what the BD-rate was taken over, or why there is none."""
        if self.found is None:
            return self.remark
        return f"{self.found.low_db:.1f} to {self.found.high_db:.1f} dB"


@dataclass(frozen=True, kw_only=True)
class BdTable:
    """BD-rates against `anchor`, each with the interval of PSNR that it is taken over."""

    anchor: str
    psnr_range_db: tuple[float, float] | None
    rows: Sequence[Row]

    def caption(self) -> str:
        """What the numbers are."""
        wanted = (
            f"between {self.psnr_range_db[0]:g} and {self.psnr_range_db[1]:g} dB, or the part of "
            "it that both curves cover"
            if self.psnr_range_db
            else "over all that both curves cover"
        )
        return f"BD-rate of PSNR (RGB) against {self.anchor}, PCHIP, {wanted}"

    def markdown(self) -> str:
        """A table in Markdown, under its caption."""
        lines = [f"{self.caption()}:", "", "| curve | BD-rate | interval |", "|---|---|---|"]
        lines += [f"| {row.curve} | {row.rate()} | {row.interval()} |" for row in self.rows]
        return "\n".join(lines) + "\n"

    def csv(self) -> str:
        """The same numbers with all digits."""
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
    """Compare each report with the anchor, fewest bits first; those without a BD-rate last."""
    rows = [_row(report, anchor, psnr_range_db) for report in reports if report is not anchor]
    rows.sort(key=lambda row: (row.found is None, row.found.percent if row.found else 0))
    return BdTable(anchor=anchor.name, psnr_range_db=psnr_range_db, rows=rows)


def _row(report: Report, anchor: Report, psnr_range_db: tuple[float, float] | None) -> Row:
    """Means over different images are not compared, as far as the reports name their images."""
    if report.images and anchor.images and report.images != anchor.images:
        counts = f"{len(report.images)} and {len(anchor.images)}"
        return Row(curve=report.name, found=None, remark=f"of other images ({counts})")
    try:
        found = bd_rate(report.curve(), anchor.curve(), psnr_range_db=psnr_range_db)
    except InvalidArgument as error:
        return Row(curve=report.name, found=None, remark=" ".join(str(error).split()))
    return Row(curve=report.name, found=found)
